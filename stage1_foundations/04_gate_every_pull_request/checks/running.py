"""Runs the workflows of one pull request, on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from labs import workflows
from labs.workflows import Event, JobRun, Machine, PullRequest, Run, Settings, Workflow
from labs.workflows.repository import Proposal
from labs.workflows.results import CANCELLED, FAILURE
from labs.workflows.runner import needed_by

EVENTS = ("pull_request", "pull_request_target")
REPOSITORY = "nukkad-pay/fraudscore"
SECRETS = {"LEDGER_TOKEN": "made-up-token-of-the-ledger"}


@dataclass(frozen=True)
class Site:
    """Where the workflows of one pull request run."""

    machine: Machine
    settings: Settings
    proposal: Proposal
    request: PullRequest

    @property
    def place(self) -> str:
        return f"_github/{self.proposal.number}"

    def run_all(self, found: list[Workflow], action: str) -> list[Run]:
        """Run every workflow that starts when `action` has happened to the pull request.

        Raises:
            Unsupported, Malformed: the runner cannot do it; GitHub would refuse it.
        """
        return [
            self._run(workflow, event, f"{number}-{event.name}")
            for number, workflow in enumerate(found)
            for event in events(self.request, self.proposal, action)
            if workflows.starts(workflow, event)[0]
        ]

    def run_below(self, run: Run, action: str, ended: Mapping[str, list[JobRun]]) -> Run:
        """Run those jobs again of which `ended` does not know how they ended."""
        kinds = dict(zip(EVENTS, events(self.request, self.proposal, action), strict=True))
        return self._run(run.workflow, kinds[run.event.name], f"again-{run.event.name}", ended)

    def _run(
        self, workflow: Workflow, event: Event, folder: str, ended: Mapping[str, list[JobRun]] | None = None
    ) -> Run:
        settings = replace(self.settings, run_id=self.proposal.number)
        return workflows.run(workflow, event, self.machine, settings, f"{self.place}/{folder}", ended)

    def files(self) -> list[str]:
        """What the runs left behind."""
        return self.machine.files(self.place)

    def clear(self) -> None:
        """Leave nothing behind: the next ones find their files faster."""
        environment = {"PATH": self.settings.image.path}
        self.machine.run(["rm", "-rf", self.place], cwd="", env=environment, timeout=30)


def events(request: PullRequest, proposal: Proposal, action: str) -> list[Event]:
    """What GitHub may start workflows with."""
    return [workflows.pull_request_event(request, proposal.changed, action, name=kind) for kind in EVENTS]


def after_a_hang(run: Run) -> tuple[dict[str, list[JobRun]], bool]:
    """What if the command that failed had found no end, until the time of its job was over? GitHub cancels such a job.

    Returns:
        How the jobs ended, by id, but those that need such a job; and whether there are any of these.
    """
    hung = {job.id for job in run.jobs if _runs_out_of_time(job)}
    below = {job.id for job in run.workflow.jobs.values() if hung & {*needed_by(run.workflow, job)}}
    ended: dict[str, list[JobRun]] = {}
    for job in run.jobs:
        if job.id not in below:
            cancelled = replace(job, result=CANCELLED, why="its time was over")
            ended.setdefault(job.id, []).append(cancelled if _runs_out_of_time(job) else job)
    return ended, bool(below)


def _runs_out_of_time(job: JobRun) -> bool:
    """Whether it is the job, and not the step that failed, whose time would be over first."""
    step = job.failed_step
    return job.result == FAILURE and step is not None and step.timeout_minutes >= job.timeout_minutes
