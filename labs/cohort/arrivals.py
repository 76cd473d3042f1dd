"""What the instructor is told of how the submissions came: times without an offset, clones from before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from labs.cohort.clones import STALE
from labs.cohort.gradebook import Mark
from labs.cohort.late import LatePolicy
from labs.cohort.names import few
from labs.cohort.submissions import Submission


def said(
    submissions: Sequence[Submission], marks: Sequence[Mark], policy: LatePolicy | None, zone: tzinfo | None
) -> tuple[str, ...]:
    """One line for each thing that the whole cohort's marks may hang on."""
    lines = []
    if count := sum(one.no_offset for one in submissions):
        how = f"read as {zone}" if zone else "read as UTC; --time-zone says otherwise"
        lines.append(f"Times that came without an offset: {count}, {how}.")
    if policy and (marked := [one.learner for one in submissions if one.late and one.at is None]):
        lines.append(
            f"Marked late without a time: {few(marked)}. One begun day is counted; --grace cannot be applied."
        )
    if stale := [one.learner for one in submissions if any(note.startswith(STALE) for note in one.notes)]:
        lines.append(
            f"Repositories that could not be refreshed, so the clones from before count: {few(stale)}."
        )
    if kept := list(dict.fromkeys(mark.learner for mark in marks if mark.error and mark.result)):
        lines.append(f"Not readable this time, so the marks from before stay: {few(kept)}.")
    return tuple(lines)
