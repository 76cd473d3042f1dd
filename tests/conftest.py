"""How `make test` shares the work out between its workers.

The gates of the labs take longest, so they are handed out first, one lab at a time. Of the rest, a file stays together,
with what it has set up.
"""

from __future__ import annotations

from typing import Any

import pytest

LABS = "test_every_lab.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name != LABS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadFileScheduling

    class LabByLab(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if f"{LABS}::" in nodeid else super()._split_scope(nodeid)

    return LabByLab(config, log)
