"""What `--again` means: which gradings of this command are done once more, though a result of them is kept."""

from __future__ import annotations

from collections.abc import Sequence

from labs.catalog import Lab
from labs.cohort.run import Job
from labs.cohort.store import Task
from labs.cohort.submissions import Submission
from labs.errors import LabsError


def named(
    names: Sequence[str], jobs: Sequence[Job], submissions: Sequence[Submission], labs: Sequence[Lab]
) -> set[Task]:
    """The tasks of LEARNER, LAB or LEARNER/LAB.

    Raises:
        LabsError: a name is none of this command's, or there is nothing to grade of it.
    """
    found: set[Task] = set()
    for name in names:
        learner, lab = _parts(name, {one.learner for one in submissions}, {lab.slug for lab in labs})
        tasks = {job.task for job in jobs if learner in ("", job.task.learner) and lab in ("", job.lab.slug)}
        if not tasks:
            raise LabsError(
                f"--again {name}: there is nothing to grade of it.",
                "Look into labs.csv: nothing was handed in, it cannot be read, or it is older than --since.",
            )
        found |= tasks
    return found


def _parts(name: str, learners: set[str], labs: set[str]) -> tuple[str, str]:
    learner, _, lab = name.rpartition("/")
    if not learner and lab not in labs:
        learner, lab = lab, ""
    if (learner and learner not in learners) or (lab and lab not in labs):
        raise LabsError(
            f"--again {name}: no learner of this cohort, and no lab of this command.",
            "Write LEARNER, LAB or LEARNER/LAB, with the names that stand in labs.csv.",
        )
    return learner, lab
