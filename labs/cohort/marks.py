"""Every learner's mark in every lab: from what is kept, what is there this time, and what the instructor asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from labs.catalog import Lab
from labs.cohort.gradebook import Mark
from labs.cohort.late import IN_TIME, LatePolicy
from labs.cohort.run import Missing, flaky
from labs.cohort.store import Store
from labs.cohort.submissions import Submission
from labs.results import LabResult, State

GONE = "not handed in this time"
EARLIER = "the mark is of an earlier run"
Key = tuple[str, str]  # learner, lab


def collect(
    labs: Sequence[Lab],
    submissions: Sequence[Submission],
    missing: Sequence[Missing],
    early: Collection[str],
    broken: Mapping[Key, str],
    policy: LatePolicy | None,
    given: Mapping[Key, Mapping[str, float]],
    store: Store,
) -> list[Mark]:
    """One for each learner and lab, in the order of the roadmap. A mark that was earned stays when the work is not
    there this time, cannot be read, or breaks by our fault; `Mark.error` then says so.

    Args:
        early: learners whose work was handed in too early to be graded this time.
        broken: what broke by our fault this time, and why.
        given: marks that a person gave.
    """
    kept: dict[Key, tuple[str, LabResult]] = {}
    for learner, slug, repetition, at, result in store.all():
        if not repetition:
            kept[learner, slug] = at, result
    absent = {(one.learner, one.lab.slug): one.error for one in missing}
    unsteady = flaky(store)
    marks = []
    for lab in labs:
        results = [result for (_, slug), (_, result) in kept.items() if slug == lab.slug]
        most = max([lab.points, *(result.possible for result in results)])
        for one in submissions:
            key = (one.learner, lab.slug)
            at, found = kept.get(key, ("", None))
            mark = Mark(one.learner, one.name, lab.slug, most, found, _error(key, found, absent, broken), at)
            mark = replace(mark, flaky=unsteady.get(key, ()), person=given.get(key, {}))
            if found:
                late = policy.judge(one.at, one.late) if policy else IN_TIME
                mark = replace(mark, late=late)
            elif one.learner in early and key not in absent:
                mark = replace(mark, left_out=True)
            notes = (*one.notes_on(lab, only=len(labs) == 1), *(found.notes if found else ()))
            marks.append(replace(mark, notes=notes, system=one.system, number=one.number))
    return marks


def _error(key: Key, kept: LabResult | None, absent: Mapping[Key, str], broken: Mapping[Key, str]) -> str:
    if key in absent:
        return f"{(absent[key] or GONE).rstrip('.')}; {EARLIER}" if kept else absent[key]
    if key in broken and kept and kept.state is not State.OUR_FAULT:
        return f"this time the grading broke by our fault: {broken[key]}; {EARLIER}"
    return ""
