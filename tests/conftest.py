"""How `make test` shares the work out: the gates of the labs take longest, so they are handed out first."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name != "test_every_lab.py")
