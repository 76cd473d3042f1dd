"""What `labs grade` says when it has ended: how many, what to look at, where it all is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labs.cohort.desk import Graded
from labs.cohort.names import few
from labs.cohort.out_folder import STORE
from labs.desk import Desk, shown

NAMED = 10
UNREAD, OUR_FAULT = 3, 4


def say(desk: Desk, out: Path, graded: Graded, due: bool) -> int:
    """Print it. Returns the exit status: 4 if something of ours broke, 3 if work could not be read or is gone, else 0.

    `due`: whether lateness was asked for.
    """
    learners = len({mark.learner for mark in graded.marks})
    desk.out.print(f"{learners} learners: {graded.done} gradings done now, {graded.kept} kept from before.")
    unread = list(dict.fromkeys((mark.learner, mark.error) for mark in graded.marks if mark.error))
    for learner, error in unread[:NAMED]:
        desk.out.print(f"✗ {learner}: {error}", soft_wrap=True)
    if len(unread) > NAMED:
        desk.out.print(f"✗ … and {len(unread) - NAMED} more; labs.csv names them")
    for words in (*_counts(graded, due), *graded.news):
        desk.out.print(f"! {words}", soft_wrap=True)
    for words, name in (("gradebook", "gradebook.csv"), ("cohort", "cohort.html"), ("reports", "learners/")):
        desk.out.print(f"  {words:<10} {shown(out / name)}", soft_wrap=True)
    if graded.broken:
        return OUR_FAULT
    return UNREAD if unread else 0


def _counts(graded: Graded, due: bool) -> Iterator[str]:
    marks = graded.marks
    if graded.broken:
        yield (
            f"{len(graded.broken)} gradings broke by our fault; labs.csv says why, "
            "the same command grades them again"
        )
    if flaky := [f"{mark.learner}/{mark.lab}" for mark in marks if mark.flaky]:
        yield f"{len(flaky)} came out differently when repeated: {few(flaky)}"
    if missing := sum(mark.state == "not handed in" for mark in marks):
        yield f"{missing} not handed in"
    if left_out := sum(mark.left_out for mark in marks):
        yield f"{left_out} not graded: handed in before --since, and never graded into {STORE}"
    if due and (unknown := sum(mark.late.days is None for mark in marks)):
        yield f"{unknown} with no known time: nothing was taken off"
