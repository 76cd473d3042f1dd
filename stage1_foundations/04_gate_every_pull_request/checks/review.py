"""Opens the pull requests on a learner's repository, runs the workflows, and says whether each may be merged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from labs import workflows
from labs.checks import CouldNotCheck
from labs.grading.evidence import Evidence, NotStarted
from labs.results import Finding
from labs.workflows import (
    Image,
    JobRun,
    Malformed,
    PullRequest,
    Run,
    Settings,
    Unsupported,
    Workflow,
    repository,
)
from labs.workflows.repository import Proposal
from proposals import draw, given
from sandbox_machine import SandboxMachine

REQUIRED = "gate"
FOLDER = ".github/workflows"
EVENTS = ("pull_request", "pull_request_target")
SECRETS = {"LEDGER_TOKEN": "made-up-token-of-the-ledger"}
STEP_SECONDS = 20.0
LARGEST_FILE, MOST_FILES = 2**20, 500


@dataclass(frozen=True)
class Reviewed:
    """One pull request, and what the workflows made of it. `files` are what the runs left behind."""

    proposal: Proposal
    runs: tuple[Run, ...]
    files: tuple[str, ...]

    @property
    def check(self) -> workflows.Check:
        return workflows.required(self.runs, REQUIRED)

    @property
    def jobs(self) -> list[JobRun]:
        return [job for run in self.runs for job in run.jobs]

    @property
    def keys(self) -> set[str]:
        """The keys of all caches."""
        return {cache.key for run in self.runs for cache in run.record.caches}

    @property
    def evidence(self) -> Evidence:
        log = [
            f"{job.name} · {step.label}: {step.conclusion}\n{step.output}"
            for job in self.jobs
            for step in job.steps
        ]
        did = f"pull request #{self.proposal.number} “{self.proposal.title}”"
        return Evidence(did, output="\n".join(log)[-4000:] or "no job ran")


class Desk:
    """Everything that one grading needs to know about a learner's repository. A pull request is run once."""

    def __init__(self, seed: int) -> None:
        drawn = draw(np.random.default_rng([seed, 4]))
        self.proposals, self._packages = drawn.proposals, drawn.packages
        self._reviewed: dict[str, Reviewed] = {}
        self._tree: dict[str, bytes] = {}
        self._programs: frozenset[str] = frozenset()

    def tree(self, work) -> dict[str, bytes]:
        """The learner's repository: ours, and whatever they have added to it."""
        if not self._tree:
            theirs = {}
            for path in work.files()[:MOST_FILES]:
                data = work.read(path).bytes
                if len(data) <= LARGEST_FILE:
                    theirs[path] = data
            listed = work.run("find", ".", "-type", "f", "-perm", "-100").stdout.splitlines()
            self._programs = frozenset(line.removeprefix("./") for line in listed)
            self._tree = theirs | given()
        return self._tree

    def workflows(self, work) -> list[Workflow]:
        """The learner's workflows.

        Raises:
            Malformed: GitHub would refuse one.
            NotStarted: there is none, or none holds anything.
        """
        paths = [path for path in self.tree(work) if _is_workflow(path)]
        read = [workflows.read(path, self.tree(work)[path]) for path in paths]
        found = [workflow for workflow in read if workflow is not None]
        if not found:
            got = "they hold nothing but comments" if paths else f"there is none in `{FOLDER}`"
            raise NotStarted(Finding("look for workflows", f"a workflow in `{FOLDER}`", got))
        return found

    def review(self, work, name: str) -> Reviewed:
        """The pull request of this name, with its runs."""
        if name not in self._reviewed:
            self._review(work, [name])
        return self._reviewed[name]

    def review_all(self, work, names: list[str]) -> None:
        """Run several pull requests, two at a time. What goes wrong comes up when one is asked for by its name."""
        self._review(work, [name for name in names if name not in self._reviewed], quiet=True)

    def _review(self, work, names: list[str], quiet: bool = False) -> None:
        if not names:
            return
        machine = SandboxMachine(work)
        found = self.workflows(work)
        origin = f"_github/{'-'.join(str(self.proposals[name].number) for name in names)}.git"
        requests = self._open(machine, origin, [self.proposals[name] for name in names], self.tree(work))
        for path, source in self._packages.items():
            work.give(f"index/{path}", source)
        index = f"{work.inputs}/index"

        def one(name: str) -> Callable[[], Reviewed]:
            proposal = self.proposals[name]
            try:
                runs = self._runs(machine, origin, found, proposal, requests[proposal.number], index)
                files = machine.files(_place(proposal))
            except Exception as error:
                return _raiser(error)
            return lambda: Reviewed(proposal, tuple(runs), tuple(files))

        with ThreadPoolExecutor(2) as pool:
            outcomes = dict(zip(names, pool.map(one, names), strict=True))
        for name, outcome in outcomes.items():
            try:
                self._reviewed[name] = outcome()
            except Unsupported as error:
                if not quiet:
                    raise CouldNotCheck(f"the runner of this lab cannot do {error}") from None
            except Malformed as error:
                if not quiet:
                    looked = Evidence(f"run {error.path}")
                    looked.fail(wanted="a workflow", got=error.what, hint="`actionlint` shows more.")
            except Exception:
                if not quiet:
                    raise

    def _open(
        self, machine, origin: str, proposals: list[Proposal], tree: dict[str, bytes]
    ) -> dict[int, PullRequest]:
        try:
            return repository.open_pull_requests(
                machine, origin, tree, proposals, self._programs, Image().path
            )
        except repository.CannotImport as error:
            Evidence("commit the repository").fail(wanted="files that git takes", got=str(error))

    def _runs(
        self,
        machine,
        origin: str,
        found: list[Workflow],
        proposal: Proposal,
        request: PullRequest,
        index: str,
    ) -> list[Run]:
        runs = []
        for number, workflow in enumerate(found):
            for kind in EVENTS:
                event = workflows.pull_request_event(request, proposal.changed, name=kind)
                if workflows.starts(workflow, event)[0]:
                    settings = Settings(
                        origin,
                        "nukkad-pay/fraudscore",
                        secrets=SECRETS,
                        image=Image(index=index),
                        most_seconds=STEP_SECONDS,
                        run_id=proposal.number,
                    )
                    place = f"{_place(proposal)}/{number}-{kind}"
                    runs.append(workflows.run(workflow, event, machine, settings, place))
        return runs


def _is_workflow(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == FOLDER and name.endswith((".yml", ".yaml"))


def _place(proposal: Proposal) -> str:
    return f"_github/{proposal.number}"


def _raiser(error: Exception) -> Callable[[], Reviewed]:
    def again() -> Reviewed:
        raise error

    return again


def not_started(found: list[Workflow], proposal: Proposal, action: str = "opened") -> dict[str, str]:
    """The workflows that such a change does not start, by path, and why."""
    request = PullRequest(
        proposal.number, proposal.title, proposal.head_ref, "main", "1" * 40, "2" * 40, "3" * 40
    )
    events = [workflows.pull_request_event(request, proposal.changed, action, name=kind) for kind in EVENTS]
    answers = {workflow.path: [workflows.starts(workflow, event) for event in events] for workflow in found}
    return {path: asked[0][1] for path, asked in answers.items() if not any(does for does, _ in asked)}


__all__ = ["FOLDER", "REQUIRED", "Desk", "Malformed", "Reviewed", "not_started"]
