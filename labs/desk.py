"""What every command works with: the course, the learner's folder and progress, and where to print."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from labs import catalog
from labs.catalog import Catalog, Lab
from labs.errors import LabsError
from labs.progress import Store
from labs.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Desk:
    catalog: Catalog
    workspace: Workspace
    store: Store

    @cached_property
    def out(self) -> Console:
        return make_console()

    @cached_property
    def err(self) -> Console:
        return make_console(stderr=True)

    def current(self) -> Lab:
        """The lab whose folder the learner stands in, else the one started last.

        Raises:
            LabsError: none is started.
        """
        started = [lab for lab in self.catalog.labs if self.workspace.started(lab.slug)]
        for lab in started:
            if stands_in(self.workspace.folder(lab.slug)):
                return lab
        if not started:
            first = self.catalog.labs[0].slug if self.catalog.labs else "LAB"
            raise LabsError("You have not started a lab yet.", f"Begin with: labs start {first}")
        return max(started, key=self._since)

    def _since(self, lab: Lab) -> float:
        return self.store.read(lab.slug).started or self.workspace.folder(lab.slug).stat().st_mtime


@contextmanager
def sit_down() -> Iterator[Desk]:
    """Open the desk; when the command ends, say what could not be read or saved."""
    malformed: dict[Path, LabsError] = {}  # one broken lab.toml must not keep anybody from the other labs
    course = catalog.load(catalog.ROOT, malformed)
    workspace = Workspace.find(course.root)
    desk = Desk(course, workspace, Store(workspace))
    desk.store.warnings += [f"{error.message} {error.next_step}" for error in malformed.values()]
    try:
        yield desk
    finally:
        for warning in dict.fromkeys(desk.store.warnings):
            desk.err.print(f"! {warning}")


def make_console(stderr: bool = False) -> Console:
    """A console without escape codes when piped or with NO_COLOR; text from learners is never markup."""
    from rich.console import Console

    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, color_system=colours)


def stands_in(folder: Path) -> bool:
    """Whether the learner's shell is in this folder or below; no, if its folder is gone."""
    try:
        return Path.cwd().is_relative_to(folder.resolve())
    except OSError:
        return False


def shown(path: Path) -> str:
    """A path as a learner would type it: relative if it lies below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
