"""Which folders a cache keeps, and whether anything that was installed lies in them when the job ends.

Sources: https://github.com/actions/cache, https://pip.pypa.io/en/stable/topics/caching/,
https://docs.astral.sh/uv/concepts/cache/. Contents are not kept from run to run: what counts here is whether a real
cache would have held them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labs.workflows import patterns
from labs.workflows.machine import Machine
from labs.workflows.record import Record
from labs.workflows.settings import Folders

INSTALLED = (
    "installed"  # where the stand-ins for pip and uv note each path that they have written, one a line
)


def places(paths: str, workspace: str, home: str) -> tuple[str, ...]:
    """The `path` of a cache, a line for each, as absolute globs; `~` is the home, all else lies in the workspace."""
    found = []
    for line in paths.splitlines():
        taken_away, path = line.strip().startswith("!"), line.strip().removeprefix("!").strip()
        if path == "~" or path.startswith("~/"):
            path = home + path[1:]
        elif path and not path.startswith("/"):
            path = f"{workspace}/{path.removeprefix('./')}"
        if path:
            found.append(f"{'!' if taken_away else ''}{path}")
    return tuple(found)


def of_pip(env: Mapping[str, str]) -> str:
    """What `pip cache dir` prints."""
    return env.get("PIP_CACHE_DIR") or f"{env['HOME']}/.cache/pip"


def seal(record: Record, first: int, machine: Machine, folders: Folders) -> None:
    """At the end of a job: note of each of its caches, from number `first` on, whether it holds what was installed."""
    noted = (machine.read(f"{folders.tools}/{INSTALLED}") or b"").decode("utf-8", "replace").splitlines()
    for number, cache in enumerate(record.caches[first:], first):
        holds = any(patterns.chosen(path, cache.paths) for path in noted)
        record.caches[number] = replace(cache, holds=holds)
