"""Runs the learner's workflow for pull requests and for pushes, with our own `ci/plan` and `ci/apply`.

They write down what they were asked. Actions that talk to clouds are played here; all else is the course's runner.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labs import workflows
from labs.checks import CouldNotCheck
from labs.grading.evidence import Evidence, NotStarted
from labs.results import Finding
from labs.workflows import (
    Event,
    Malformed,
    Settings,
    Unsupported,
    Workflow,
    actions,
    concurrency,
)
from labs.workflows.document import Job
from labs.workflows.expressions import Scope, condition
from labs.workflows.runner import scope_of
from pipeline_events import own_refs
from plans import Drawn
from sandbox_machine import SandboxMachine

FOLDER, BOTH = ".github/workflows", ("staging", "prod")
PLAN_ROLE, APPLY_ROLE = (f"arn:aws:iam::123456789012:role/infra-{name}" for name in ("plan", "apply"))
CREDENTIALS, TOOLS = "aws-actions/configure-aws-credentials", ("hashicorp/setup-terraform", "pulumi/actions")
OWN = "its own"
STUB_PLAN = """#!/bin/sh
# Stands in for ci/plan: hands out a plan that is ready, and a different one each time.
set -eu
at="@ROOT@/_ci/@RUN@"
number=$(( $(cat "$at/$1.count" 2>/dev/null || echo 0) + 1 ))
mkdir -p "$at" "$2"
echo "$number" >"$at/$1.count"
cp -f "@GIVEN@/$1-$number.json" "$2/plan.json"
chmod 644 "$2/plan.json"
echo "plan of $1, number $number" >"$2/plan.bin"
echo "@MARK@ $1" >"$2/plan.txt"
who="${GITHUB_JOB:-}|${AWS_PLAYED_ROLE:-}|${AWS_ACCESS_KEY_ID:-}"
echo "plan|$1|$number|$who|@TREE@" >>"$at/log"
"""
STUB_APPLY = """#!/bin/sh
# Stands in for ci/apply: writes down which plan it was given.
set -eu
at="@ROOT@/_ci/@RUN@"
mkdir -p "$at"
who="${GITHUB_JOB:-}|${AWS_PLAYED_ROLE:-}|${AWS_ACCESS_KEY_ID:-}"
echo "apply|$1|$(cat "$2" | tr '|\\n' '  ')|$who|@TREE@" >>"$at/log"
"""


@dataclass
class Ran:
    """What one event led to. `log`: (what, environment, which plan, job, role, key, which files).

    `jobs` are those of every workflow that the event started; `which files` is OWN, or what was checked out instead.
    """

    event: str
    did: str
    jobs: list[Any] = field(default_factory=list)
    log: list[list[str]] = field(default_factory=list)
    text: str = ""

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.did, output=self.text[-3000:])

    def of(self, what: str) -> list[list[str]]:
        return [each for each in self.log if each[0] == what]

    @property
    def failed(self) -> bool:
        return any(job.result in ("failure", "cancelled") for job in self.jobs)


class Pipeline:
    """The workflows of one learner, in one sandbox."""

    def __init__(self, work, rng: np.random.Generator) -> None:
        self.work, self.machine = work, SandboxMachine(work)
        self.tree = [path for path in work.files() if not path.startswith("_")]
        self.mark, self.number = f"change-{rng.bytes(4).hex()}", 0
        self.secret = f"redis://:{rng.bytes(8).hex()}@features/0"
        self.drawn = Drawn(rng)
        self.found = self._read()

    def started(self, event: Event) -> list[Workflow]:
        """The workflows that an event starts."""
        return [each for each in self.found if workflows.starts(each, event)[0]]

    def _read(self) -> list[Workflow]:
        paths = [
            path for path in self.tree if path.startswith(f"{FOLDER}/") and path.endswith((".yml", ".yaml"))
        ]
        try:
            read = [workflows.read(path, self.work.read(path).bytes) for path in paths]
        except Malformed as error:
            Evidence(f"read {error.path}").fail(
                wanted="a workflow", got=error.what, hint="`actionlint` shows more."
            )
        found = [each for each in read if each is not None]
        if not found:
            raise NotStarted(Finding("look for workflows", f"a workflow in `{FOLDER}`", "there is none"))
        return found

    def run(self, event: Event, plans: Mapping[str, list[Any]], did: str) -> Ran:
        """All workflows that the event starts. `plans`: environment → what `ci/plan` hands out, in turn."""
        self.number += 1
        self._trees: dict[str, str] = {}
        given = ""
        for name, several in plans.items():
            for number, plan in enumerate(several, 1):
                given = self.work.give(f"plans-{self.number}/{name}-{number}.json", json.dumps(plan)).rsplit(
                    "/", 1
                )[0]
        self._event, self._given = event, given
        ran = Ran(event.name, did)
        settings = Settings(
            "unused",
            "nukkad-pay/platform",
            secrets={"FEATURE_STORE_URL": self.secret},
            variables={"PLAN_ROLE": PLAN_ROLE, "APPLY_ROLE": APPLY_ROLE},
            played={
                "actions/checkout": self._checkout,
                CREDENTIALS: _credentials,
                **{name: lambda site, inputs: actions.Done() for name in TOOLS},
            },
            most_seconds=90.0,
            run_id=self.number,
        )
        for workflow in self.started(event):
            with _told():
                done = workflows.run(workflow, event, self.machine, settings, f"_github/{self.number}")
            ran.jobs += done.jobs
        ran.text = "\n".join(
            f"{j.name} · {s.label}: {s.conclusion}\n{s.output}" for j in ran.jobs for s in j.steps
        )
        ran.text += "".join(job.summary for job in ran.jobs)
        said = self.machine.read(f"_ci/{self.number}/log") or b""
        ran.log = [line.split("|") for line in said.decode("utf-8", "replace").splitlines()]
        return ran

    def _put_stubs(self, tree: str) -> str:
        """Our two commands, for a checkout of these files. Returns their folder."""
        folder = f"_stubs/{self.number}-{len(self._trees)}"
        for name, text in (("plan", STUB_PLAN), ("apply", STUB_APPLY)):
            for word, value in (
                ("ROOT", self.machine.root),
                ("RUN", str(self.number)),
                ("GIVEN", self._given),
                ("MARK", self.mark),
                ("TREE", tree),
            ):
                text = text.replace(f"@{word}@", value)
            self.work.put(f"{folder}/{name}", text)
        return f"{self.machine.root}/{folder}"

    def _checkout(self, site: actions.Site, inputs: actions.Inputs) -> actions.Done:
        """The learner's files, with our commands in place of theirs. They write down which files were asked for."""
        tree = OWN if inputs.get("ref") in own_refs(self._event) else inputs.get("ref")
        tree = "".join(sign for sign in tree if sign.isalnum() or sign in "-_./ ")[:60]
        if tree not in self._trees:
            self._trees[tree] = self._put_stubs(tree)
        target = site.absolute(site.folders.workspace)
        tops = sorted({path.split("/")[0] for path in self.tree})
        script = (
            'mkdir -p "$1"; root="$2"; stubs="$3"; target="$1"; shift 3; cd "$root"; cp -R "$@" "$target/";'
            'mkdir -p "$target/ci"; rm -f "$target/ci/plan" "$target/ci/apply";'
            'cp "$stubs/plan" "$stubs/apply" "$target/ci/";'
            'chmod 755 "$target/ci/plan" "$target/ci/apply"'
        )
        argv = ["sh", "-c", script, "sh", target, self.machine.root, self._trees[tree], *tops]
        ended = site.machine.run(argv, cwd="", env=site.env, timeout=20)
        return actions.Done(ended.status, ended.output)


def _credentials(site: actions.Site, inputs: actions.Inputs) -> actions.Done:
    """aws-actions/configure-aws-credentials: a role by OpenID Connect, or the keys that it was given."""
    role, key = inputs.get("role-to-assume"), inputs.get("aws-access-key-id")
    if not role and not key:
        return actions.Done(1, "Credentials could not be loaded: no role-to-assume\n")
    return actions.Done(0, "", {}, {"AWS_PLAYED_ROLE": role, "AWS_ACCESS_KEY_ID": key or "ASIAPLAYED"})


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Unsupported as error:
        raise CouldNotCheck(f"the runner of this lab cannot do {error}") from None
    except Malformed as error:
        Evidence(f"run {error.path}").fail(
            wanted="a workflow", got=error.what, hint="`actionlint` shows more."
        )


def groups(pipeline: Pipeline, jobs: set[str], event: Event, run_id: int) -> list[tuple[str, bool]]:
    """(group, whether a run that waits ends the one before) for these jobs; ("", …) for a job that is in no group."""
    settings = Settings("unused", "nukkad-pay/platform", run_id=run_id)
    found = []
    for workflow in pipeline.found:
        for job in workflow.jobs.values():
            if job.id in jobs:
                for several in concurrency.groups(workflow, job, event, settings):
                    names = "/".join(name for name, _ in several)
                    found.append((names, any(cancels for _, cancels in several)))
    return found


def held_by(pipeline: Pipeline, jobs: set[str], event: Event, run_id: int) -> set[str]:
    """Every group that these jobs are in, by themselves or by their workflow."""
    settings = Settings("unused", "nukkad-pay/platform", run_id=run_id)
    return {
        name
        for workflow in pipeline.found
        for job in workflow.jobs.values()
        if job.id in jobs
        for several in concurrency.groups(workflow, job, event, settings)
        for name, _ in several
    }


def ended_by(pipeline: Pipeline, event: Event, run_id: int) -> set[str]:
    """The groups in which an event ends what is at work: those of its workflows, and of the jobs that run then."""
    settings = Settings("unused", "nukkad-pay/platform", run_id=run_id)
    found = set()
    for workflow in pipeline.started(event):
        scope = scope_of(workflow, event, settings, {}, ())
        for job in workflow.jobs.values():
            own = job if _runs(workflow, job, scope) else dataclasses.replace(job, body={})
            for several in concurrency.groups(workflow, own, event, settings):
                found |= {name for name, cancels in several if cancels}
    return found


def _runs(workflow: Workflow, job: Job, scope: Scope) -> bool:
    """Whether its condition and those of the jobs that it needs hold; what a job hands on is empty here."""
    needed = [workflow.jobs[name] for name in job.needs if name in workflow.jobs]
    return condition(job.condition, scope) and all(_runs(workflow, each, scope) for each in needed)
