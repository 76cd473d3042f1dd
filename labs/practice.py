"""Grades the learner's own folders: once, or at every save. Shows the answer and remembers it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs import render
from labs.catalog import Lab
from labs.desk import Desk, shown
from labs.errors import LabsError
from labs.hints import read_hints
from labs.live import watching
from labs.machine import LOCAL, cores
from labs.results import LabResult, State

if TYPE_CHECKING:
    from labs.grading import Grader

SCHEMA_VERSION = 1
TICK_MS = 500
LANES = min(cores(), 4)  # checks at a time


@dataclass(frozen=True)
class Asked:
    """How to check. `only`: the name of one check; all without."""

    seed: int | None = None
    tier: str = LOCAL
    only: str = ""


class Session:
    """One grader, kept warm, over any number of checks. Leaving it ends every process."""

    def __init__(self, desk: Desk, labs: Sequence[Lab], asked: Asked, quiet: bool = False) -> None:
        self.desk, self.labs, self.asked = desk, labs, asked
        self.screen = desk.out if desk.out.is_terminal and not quiet else desk.err
        self.stack = ExitStack()
        self.grader: Grader | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def grade(self, lab: Lab, folder: Path) -> LabResult:
        with watching(lab.slug, self.screen) as watcher:
            if self.grader is None:
                from labs.grading import (
                    Grader,
                )  # takes a moment: the learner already sees that something happens

                warm = sorted({module for one in self.labs for module in one.warm})
                self.grader = self.stack.enter_context(
                    Grader(self.desk.catalog.root, warm=warm, tier=self.asked.tier, lanes=LANES)
                )
            only = (self.asked.only,) if self.asked.only else ()
            result = self.grader.grade(
                lab, folder.resolve(), seed=self.asked.seed, watcher=watcher, only=only
            )
        return replace(result, only=self.asked.only)

    def practise(self, lab: Lab) -> LabResult:
        """Grade the learner's folder and remember the result before anybody reads it; not a part of one."""
        result = self.grade(lab, self.desk.workspace.folder(lab.slug))
        if not result.only:
            self.desk.store.checked(result)
        return result


def one_check(labs: Sequence[Lab], name: str) -> str:
    """`name`, if it is a check of the one lab that is to be checked.

    Raises:
        LabsError: several labs, or the lab has no such check.
    """
    if len(labs) > 1:
        raise LabsError(f"--only {name} needs one lab, and these are {len(labs)}.", "Name the lab.")
    known = read_hints(labs[0])
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known
        raise LabsError(f"{labs[0].slug} has no check {name!r}.", f"It has: {', '.join(near)}.")
    return name


def check(desk: Desk, labs: Sequence[Lab], asked: Asked, as_json: bool, solution: bool) -> int:
    """Grade each lab once; the exit code."""
    results: list[LabResult] = []
    waiting: list[Lab] = []
    with Session(desk, labs, asked, quiet=as_json) as session:
        for lab in labs:
            if solution:
                results.append(session.grade(lab, lab.solution))
            elif desk.workspace.started(lab.slug):
                results.append(session.practise(lab))
            else:
                waiting.append(lab)
                if not as_json:
                    desk.out.print(f"○ {lab.slug} · not started · begin with: labs start {lab.slug}")
                continue
            if not as_json:
                show(desk, results[-1])
    if as_json:
        print(_as_json(results, waiting))
    elif len(labs) > 1:
        _total(desk, labs, results)
    return exit_code([*(result.state for result in results), *(State.NOT_STARTED for _ in waiting)])


def watch(desk: Desk, labs: Sequence[Lab], asked: Asked) -> None:
    """Grade now and after every save, until Ctrl-C.

    Raises:
        LabsError: a lab has no folder (any more).
    """
    with Session(desk, labs, asked) as session:
        for touched in _saves(desk, labs):
            for lab in touched:
                try:
                    show(desk, session.practise(lab))
                except LabsError as error:  # the next save may well mend it
                    desk.err.print(f"✗ {error}")
            desk.out.print("Watching for your next save. Ctrl-C ends it.\n")


def show(desk: Desk, result: LabResult) -> None:
    """Colours on a terminal; the same lines, not wrapped, into a pipe."""
    if desk.out.is_terminal:
        render.terminal(result, desk.out)
        desk.out.print()
    else:
        print(render.piped(result))


def exit_code(states: Iterable[State]) -> int:
    """0 all passed, 1 something failed or is not started, 3 something could not be checked, 4 our fault."""
    found = set(states)
    if State.OUR_FAULT in found:
        return 4
    if found & {State.FAILED, State.NOT_STARTED}:
        return 1
    return 3 if State.COULD_NOT_CHECK in found else 0


def _saves(desk: Desk, labs: Sequence[Lab]) -> Iterator[list[Lab]]:
    """All labs at once, then, for every burst of saves, the labs that it touched."""
    from watchfiles import watch as changes_in

    folders = {lab.slug: desk.workspace.folder(lab.slug).resolve() for lab in labs}
    touched = list(labs)
    while True:
        known = {slug: _identity(folder) for slug, folder in folders.items()}
        # A first, empty answer means that the watch is set: nothing saved during a grading is missed.
        events = changes_in(
            *folders.values(), debounce=300, rust_timeout=TICK_MS, yield_on_timeout=True, raise_interrupt=True
        )
        for changes in events:
            paths = [Path(path) for _, path in changes]
            touched += [lab for lab in labs if any(path.is_relative_to(folders[lab.slug]) for path in paths)]
            replaced = [lab for lab in labs if _identity(folders[lab.slug]) != known[lab.slug]]
            if replaced:  # `labs reset` put another folder there: watch that one
                touched += replaced
                break
            if touched:
                yield list(dict.fromkeys(touched))
                touched = []


def _identity(folder: Path) -> int:
    try:
        return folder.stat().st_ino
    except OSError:
        raise LabsError(
            f"{shown(folder)} is not there (any more).", f"Begin with: labs start {folder.name}"
        ) from None


def _as_json(results: Sequence[LabResult], waiting: Sequence[Lab]) -> str:
    body: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "results": [json.loads(result.to_json()) for result in results],
        "not_started": [lab.slug for lab in waiting],
    }
    return json.dumps(body, indent=2, ensure_ascii=False)


def _total(desk: Desk, labs: Sequence[Lab], results: Sequence[LabResult]) -> None:
    passed = sum(result.passed_here for result in results)
    earned, possible = sum(result.earned for result in results), sum(lab.points for lab in labs)
    desk.out.print(f"{passed} of {len(labs)} labs passed · {earned} of {possible} points")
