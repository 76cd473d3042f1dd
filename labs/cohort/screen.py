"""How far a grading is, drawn on a terminal as a bar, and elsewhere as a line now and then."""

from __future__ import annotations

import time
from typing import Any

from labs.cohort.run import Estimate, Job
from labs.desk import Desk
from labs.results import LabResult

EVERY_SECONDS = 5.0


def screen(desk: Desk) -> Any:
    return _Bar(desk) if desk.err.is_terminal and not desk.err.is_dumb_terminal else _Lines(desk)


class _Lines:
    """A line now and then."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.last, self.total = desk, time.monotonic(), 0

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def say(self, words: str) -> None:
        self.desk.err.print(f"{words} …")

    def begin(self, total: int, kept: int) -> None:
        self.total = total
        self.desk.err.print(f"{total} gradings to do, {kept} kept from before")

    def graded(self, job: Job, result: LabResult, estimate: Estimate) -> None:
        if time.monotonic() - self.last >= EVERY_SECONDS or estimate.done == self.total:
            self.last = time.monotonic()
            self.desk.err.print(f"{estimate.done} of {self.total}, {left(estimate)}")


class _Bar(_Lines):
    """A bar on a terminal."""

    def __enter__(self) -> _Bar:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self.progress = Progress(*columns, console=self.desk.err, transient=True)
        self.progress.__enter__()
        self.task = self.progress.add_task("", total=None, left="")
        return self

    def __exit__(self, *error: Any) -> None:
        self.progress.__exit__(*error)

    def say(self, words: str) -> None:
        self.progress.update(self.task, description=words)

    def begin(self, total: int, kept: int) -> None:
        self.progress.update(self.task, total=total, left=f"{kept} kept from before" if kept else "")

    def graded(self, job: Job, result: LabResult, estimate: Estimate) -> None:
        words = f"{job.task.learner}, {job.lab.slug}"
        self.progress.update(self.task, completed=estimate.done, description=words, left=left(estimate))


def left(estimate: Estimate) -> str:
    """`about 4 min left`."""
    seconds = estimate.seconds_left
    if seconds is None:
        return ""
    if seconds < 90:
        return f"about {seconds:.0f} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 5400 else f"about {seconds / 3600:.1f} h left"
