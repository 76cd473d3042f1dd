"""Opens the pull requests on a learner's repository, runs the workflows, and says whether each may be merged."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

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
from labs.workflows.record import CacheUse
from labs.workflows.repository import Proposal
from labs.workflows.results import SKIPPED, SUCCESS
from proposals import draw, given, history
from running import REPOSITORY, SECRETS, Site, after_a_hang, events
from sandbox_machine import SandboxMachine

REQUIRED = "gate"
FOLDER = ".github/workflows"
# What runs together: two at a time, the longest first. The first of a group is asked for by a check that others name in
# `after`, so that what it leaves here is there for all of them, also where checks run side by side.
TOGETHER = (
    ("good", "hostile"),
    ("test", "data", "schema", "lint"),
    ("short night", "night", "bar", "old branch", "model", "hidden secret", "secret"),
    ("stranger",),
)
SAYS = {"opened": "", "synchronize": ", after a new push", "reopened": ", opened again"}
LINTER = ("-shellcheck=", "-pyflakes=")  # they are not on every machine
STEP_SECONDS = 20.0
LARGEST_FILE, MOST_FILES = 2**20, 500


@dataclass(frozen=True)
class Reviewed:
    """One pull request, and what the workflows made of it. `files` are what the runs left behind."""

    proposal: Proposal
    action: str
    runs: tuple[Run, ...]
    files: tuple[str, ...] = ()

    @property
    def check(self) -> workflows.Check:
        return workflows.required(self.runs, REQUIRED)

    @property
    def jobs(self) -> list[JobRun]:
        return [job for run in self.runs for job in run.jobs]

    @property
    def caches(self) -> list[CacheUse]:
        return [cache for run in self.runs for cache in run.record.caches]

    @property
    def why_skipped(self) -> str:
        """Why the required check was skipped, or ""."""
        return next((job.why for job in self.jobs if job.name == REQUIRED and job.result == SKIPPED), "")

    @property
    def skipped(self) -> list[str]:
        """What has not run because an `if` said no, beside the required check itself."""
        jobs = [
            f"the job `{job.name}`" for job in self.jobs if job.result == SKIPPED and job.name != REQUIRED
        ]
        good = [job for job in self.jobs if job.result == SUCCESS]
        steps = [step for job in good for step in job.steps if step.outcome == SKIPPED]
        return jobs + [f"the step `{step.label}`" for step in steps]

    @property
    def evidence(self) -> Evidence:
        log = [
            f"{job.name} · {step.label}: {step.conclusion}\n{step.output}"
            for job in self.jobs
            for step in job.steps
        ]
        did = f"pull request #{self.proposal.number} “{self.proposal.title}”{SAYS[self.action]}"
        return Evidence(did, output="\n".join(log)[-4000:] or "no job ran")


class Desk:
    """Everything that one grading needs to know about a learner's repository. A pull request is run once."""

    def __init__(self, seed: int) -> None:
        drawn = draw(np.random.default_rng([seed, 4]))
        self.proposals, self._actions, self._packages = drawn.proposals, drawn.actions, drawn.packages
        self._reviewed: dict[str, Callable[[], Reviewed]] = {}
        self._tree: dict[str, bytes] = {}
        self._programs: frozenset[str] = frozenset()
        self._said: list[dict] | None = None

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

    def lint(self, work, found: list[Workflow]) -> list[dict]:
        """What actionlint says of the workflows."""
        if self._said is None:
            program = shutil.which("actionlint", path=Path(sys.prefix) / "bin") or shutil.which("actionlint")
            if not program:
                raise CouldNotCheck("no actionlint here: install the environment whole")
            paths = [workflow.path for workflow in found]
            done = work.run(program, "-no-color", *LINTER, "-format", "{{json .}}", *paths)
            try:
                self._said = json.loads(done.stdout)
            except ValueError:
                raise CouldNotCheck("actionlint did not run here") from None
        return self._said

    def review(self, work, name: str) -> Reviewed:
        """The pull request of this name, with its runs. Those of its group run beside it, for the checks to come."""
        if name not in self._reviewed:
            self._review(work, next(group for group in TOGETHER if name in group))
        return self._reviewed[name]()

    def that_cache(self, work, groups: Sequence[Sequence[str]]) -> list[Reviewed]:
        """The pull requests of the first group in which the workflows keep anything at all."""
        for names in groups:
            found = [one for one in (self.review(work, name) for name in names) if one.caches]
            if found:
                return found
        return []

    def review_hung(self, work, name: str) -> Reviewed:
        """What would be if the command that found the fault had found no end, until the time of its job was over.

        GitHub cancels such a job. Jobs that need it are run again, and see `cancelled`.
        """
        reviewed = self.review(work, name)
        runs = []
        for run in reviewed.runs:
            ended, others_need_it = after_a_hang(run)
            if others_need_it:
                [(_, site)] = self._open(work, [name])
                with _told():
                    runs.append(site.run_below(run, reviewed.action, ended))
            else:
                runs.append(replace(run, jobs=tuple(job for jobs in ended.values() for job in jobs)))
        return replace(reviewed, runs=tuple(runs))

    def _review(self, work, names: Sequence[str]) -> None:
        """Run pull requests, two at a time. What goes wrong with one comes up when it is asked for."""
        found = self.workflows(work)

        def one(opened: tuple[str, Site]) -> Callable[[], Reviewed]:
            name, site = opened
            action = self._action(found, name)
            try:
                with _told():
                    runs = site.run_all(found, action)
                reviewed = Reviewed(site.proposal, action, tuple(runs), tuple(site.files()))
                site.clear()
            except Exception as error:
                return _raiser(error)
            return lambda: reviewed

        with ThreadPoolExecutor(2) as pool:
            opened = self._open(work, names)
            self._reviewed |= dict(zip(names, pool.map(one, opened), strict=True))

    def _action(self, found: list[Workflow], name: str) -> str:
        """What has happened to it; or "opened", if nothing starts otherwise: another check says so."""
        silent = len(not_started(found, self.proposals[name], self._actions[name])) == len(found)
        return "opened" if silent else self._actions[name]

    def _open(self, work, names: Sequence[str]) -> list[tuple[str, Site]]:
        """Open pull requests in a repository of their own."""
        machine, proposals = SandboxMachine(work), [self.proposals[name] for name in names]
        origin = f"_github/{'-'.join(name.replace(' ', '-') for name in names)}.git"
        for path, source in self._packages.items():
            work.give(f"index/{path}", source)
        image = Image(index=f"{work.inputs}/index")
        main = history(self.tree(work))
        try:
            requests = repository.open_pull_requests(
                machine, origin, main, proposals, self._programs, image.path
            )
        except repository.CannotImport as error:
            Evidence("commit the repository").fail(wanted="files that git takes", got=str(error))
        settings = Settings(origin, REPOSITORY, secrets=SECRETS, image=image, most_seconds=STEP_SECONDS)
        return [
            (name, Site(machine, settings, proposal, requests[proposal.number]))
            for name, proposal in zip(names, proposals, strict=True)
        ]


@contextmanager
def _told() -> Iterator[None]:
    """What keeps a workflow from running, in terms of a check."""
    try:
        yield
    except Unsupported as error:
        raise CouldNotCheck(f"the runner of this lab cannot do {error}") from None
    except Malformed as error:
        looked = Evidence(f"run {error.path}")
        looked.fail(wanted="a workflow", got=error.what, hint="`actionlint` shows more.")


def _is_workflow(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == FOLDER and name.endswith((".yml", ".yaml"))


def _raiser(error: Exception) -> Callable[[], Reviewed]:
    def again() -> Reviewed:
        raise error

    return again


def not_started(found: list[Workflow], proposal: Proposal, action: str = "opened") -> dict[str, str]:
    """The workflows that such a change does not start, by path, and why."""
    request = PullRequest(
        proposal.number, proposal.title, proposal.head_ref, "main", "1" * 40, "2" * 40, "3" * 40
    )
    asked = events(request, proposal, action)
    answers = {workflow.path: [workflows.starts(workflow, event) for event in asked] for workflow in found}
    return {path: said[0][1] for path, said in answers.items() if not any(does for does, _ in said)}


__all__ = ["FOLDER", "REQUIRED", "Desk", "Malformed", "Reviewed", "not_started"]
