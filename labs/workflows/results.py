"""What came of a run: of its steps, its jobs and the whole; and what a required check makes of it.

Source of the last: https://docs.github.com/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/troubleshooting-required-status-checks
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from labs.workflows.document import Workflow
from labs.workflows.events import Event
from labs.workflows.record import Record

SUCCESS, FAILURE, CANCELLED, SKIPPED = "success", "failure", "cancelled", "skipped"


@dataclass(frozen=True)
class StepRun:
    """One step that was reached. `outcome` is before, `conclusion` after `continue-on-error`."""

    label: str
    outcome: str
    conclusion: str
    output: str = ""
    uses: str = ""
    status: int = 0
    timeout_minutes: float = math.inf


@dataclass(frozen=True)
class JobRun:
    """One job, or one combination of its matrix. `name` is the name of the check that GitHub shows."""

    id: str
    name: str
    result: str
    steps: tuple[StepRun, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    permissions: Mapping[str, str] = field(default_factory=dict)
    timeout_minutes: float = 360.0
    summary: str = ""
    why: str = ""
    continues: bool = False

    @property
    def failed_step(self) -> StepRun | None:
        """The first step that made the job fail."""
        return next((step for step in self.steps if step.conclusion == FAILURE), None)

    @property
    def longest_minutes(self) -> float:
        """After how many minutes the job ends, whatever its commands do."""
        return min(
            self.timeout_minutes, sum(step.timeout_minutes for step in self.steps) if self.steps else 0.0
        )


@dataclass(frozen=True)
class Run:
    """One workflow, started by one event."""

    workflow: Workflow
    event: Event
    jobs: tuple[JobRun, ...]
    record: Record

    @property
    def conclusion(self) -> str:
        counted = [job.result for job in self.jobs if not job.continues]
        for result in (FAILURE, CANCELLED):
            if result in counted:
                return result
        return SUCCESS if SUCCESS in counted or not counted else SKIPPED


@dataclass(frozen=True)
class Check:
    """A required check of a pull request. `because` says what it rests on, in the words of a person."""

    name: str
    state: str
    mergeable: bool
    because: str


def required(runs: Iterable[Run], name: str) -> Check:
    """What branch protection makes of the check `name`.

    A check that nobody reports stays "expected", and blocks. A skipped job reports success: it does **not** block.
    """
    jobs = [job for run in runs for job in run.jobs if job.name == name]
    if not jobs:
        return Check(name, "expected", False, "no job of this name has reported")
    for job in jobs:
        if job.result in (FAILURE, CANCELLED):
            step = job.failed_step
            failed = f"the step `{step.label}` failed" if step else job.result
            return Check(name, job.result, False, job.why or failed)
    if all(job.result == SKIPPED for job in jobs):
        return Check(name, SKIPPED, True, "its job was skipped, which GitHub counts as success")
    return Check(name, SUCCESS, True, "its job succeeded")
