"""Runs one job: its steps in order, with GitHub's rules for conditions, variables, shells and failures.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idsteps
"""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.workflows import actions, caches, contexts, functions, permissions, values
from labs.workflows.document import Job, Step, Workflow
from labs.workflows.environment import BadFile, JobEnvironment, assignments
from labs.workflows.errors import BadExpression, Unsupported
from labs.workflows.events import Event
from labs.workflows.expressions import Scope, condition, fill
from labs.workflows.machine import Machine, Outcome, inside
from labs.workflows.record import Record
from labs.workflows.results import CANCELLED, FAILURE, SKIPPED, SUCCESS, JobRun, StepRun
from labs.workflows.settings import Folders, Settings

DEFAULT_MINUTES = 360.0
SHELLS = {
    "": "bash -e {0}",
    "bash": "bash --noprofile --norc -eo pipefail {0}",
    "sh": "sh -e {0}",
    "python": "python {0}",
}
STANDIN = Path(__file__).parent / "standin" / "pip"
PREPARE = """
set -e
cd "$1"; mkdir -p ../repo ../temp ../home bin
ln -s "$2" bin/python; ln -s python bin/python3; ln -s python "bin/python$3"
printf '#!/bin/sh\\nexec "%s/bin/python" -m pip "$@"\\n' "$PWD" >bin/pip
printf '#!/bin/sh\\nexec "%s/bin/python" -m pip pipx "$@"\\n' "$PWD" >bin/pipx
ln -s pip bin/pip3; chmod 755 bin/pip bin/pipx
"""


@dataclass(frozen=True)
class Surroundings:
    """What a job is told by the run that it belongs to."""

    machine: Machine
    settings: Settings
    workflow: Workflow
    event: Event
    record: Record
    scope: Scope  # github, needs, vars, inputs, secrets, strategy, matrix


@dataclass
class _Progress:
    env: JobEnvironment
    status: str = SUCCESS
    steps: dict[str, Any] = field(default_factory=dict)
    made: list[StepRun] = field(default_factory=list)
    summary: str = ""


def run_job(job: Job, name: str, folders: Folders, around: Surroundings) -> JobRun:
    """Run one job, or one combination of its matrix.

    Raises:
        Unsupported: the job uses something that this runner does not have.
        BadExpression: something outside of the steps cannot be evaluated.
    """
    _refuse(job, around)
    minutes = _minutes(fill(job.body.get("timeout-minutes"), around.scope), DEFAULT_MINUTES)
    declared = permissions.of(around.workflow, job, around.settings.default_permissions)
    _prepare(folders, around)
    progress = _Progress(_environment(job, folders, around))
    deadline, cached_before = time.monotonic() + minutes * 60, len(around.record.caches)
    for step in job.steps:
        if time.monotonic() > deadline:
            progress.status = CANCELLED
        _take(step, job, folders, around, progress, deadline)
    caches.seal(around.record, cached_before, around.machine, folders)
    scope = _scope(around, folders, progress, {})
    outputs = {
        key: values.text(fill(value, scope))
        for key, value in _mapping(job.body.get("outputs") or {}, "outputs").items()
    }
    continues = values.truthy(fill(job.body.get("continue-on-error", False), around.scope))
    return JobRun(
        job.id, name, progress.status, tuple(progress.made), outputs,
        permissions.granted(declared, around.event), minutes, progress.summary, continues=continues,
    )  # fmt: skip


def _refuse(job: Job, around: Surroundings) -> None:
    if job.uses:
        raise Unsupported(f"job `{job.id}` calls the workflow `{job.uses}`: write its steps into the job")
    for key in ("container", "services", "snapshot"):
        if job.body.get(key):
            raise Unsupported(f"`{key}` of job `{job.id}`")
    runs_on = fill(job.body["runs-on"], around.scope)
    labels = runs_on if isinstance(runs_on, list) else [runs_on]
    if not labels or not all(
        isinstance(label, str) and label.lower().startswith("ubuntu-") for label in labels
    ):
        raise Unsupported(
            f"`runs-on: {values.text(runs_on)}` of job `{job.id}`: this runner is ubuntu-latest"
        )


def _prepare(folders: Folders, around: Surroundings) -> None:
    """A fresh machine: an empty workspace, and a Python of the job's own in which nothing is installed yet."""
    machine, image = around.machine, around.settings.image
    site = f"{folders.tools}/lib/python{image.version}/site-packages"
    for path in sorted(STANDIN.glob("*.py")):
        machine.write(f"{site}/pip/{path.name}", path.read_bytes())
    machine.write(f"{folders.tools}/pyvenv.cfg", _venv(image.python))
    standin = {"library": list(image.library), "index": image.index}
    machine.write(f"{folders.tools}/standin.json", json.dumps(standin).encode())
    event = json.dumps(around.event.payload(around.settings.repository), indent=2)
    machine.write(f"{folders.files}/event.json", event.encode())
    argv = ["bash", "-c", PREPARE, "prepare", f"{machine.root}/{folders.tools}", image.python, image.version]
    ended = machine.run(
        argv, cwd=folders.tools, env={"PATH": image.path}, timeout=around.settings.most_seconds
    )
    if ended.status:
        raise Unsupported(f"a Python for the job: {ended.output.strip()[:200]}")


def _venv(python: str) -> bytes:
    """What makes it a Python of its own: without the last line it would see what is installed beside `python`."""
    return f"home = {Path(python).parent}\ninclude-system-site-packages = false\n".encode()


def _environment(job: Job, folders: Folders, around: Surroundings) -> JobEnvironment:
    root, context = around.machine.root, _github(around, folders)
    env = JobEnvironment(contexts.variables(context, job, root, folders, around.settings))
    known = around.scope.with_context("github", context)
    for written in (around.workflow.body.get("env"), job.body.get("env")):
        scope = known.with_context("env", env.context({}))
        filled = _mapping(fill(written or {}, scope), "env")
        env.workflow_and_job.update({key: values.text(value) for key, value in filled.items()})
    return env


def _github(around: Surroundings, folders: Folders) -> dict[str, Any]:
    """The `github` context of a job that has a machine."""
    workspace = f"{around.machine.root}/{folders.workspace}"
    return {**around.scope.contexts["github"], "workspace": workspace}


def _scope(around: Surroundings, folders: Folders, progress: _Progress, step_env: dict[str, str]) -> Scope:
    root, machine = around.machine.root, around.machine
    runner = {"os": "Linux", "arch": "X64", "name": "local", "temp": f"{root}/{folders.temp}", "debug": "",
              "tool_cache": f"{root}/{folders.tools}", "environment": "github-hosted"}  # fmt: skip

    def hash_files(*globs: Any) -> str:
        names = machine.files(folders.workspace)
        return functions.hash_files(names, lambda name: machine.read(f"{folders.workspace}/{name}"), *globs)

    status = progress.status
    return Scope(
        {
            **around.scope.contexts,
            "github": _github(around, folders),
            "runner": runner,
            "env": progress.env.context(step_env),
            "steps": progress.steps,
            "job": {"status": status},
        },
        {
            **around.scope.functions,
            "hashFiles": hash_files,
            "success": lambda: status == SUCCESS,
            "failure": lambda: status == FAILURE,
            "cancelled": lambda: status == CANCELLED,
            "always": lambda: True,
        },
    )


def _take(
    step: Step, job: Job, folders: Folders, around: Surroundings, progress: _Progress, deadline: float
) -> None:
    """Run one step, if its condition holds, and note how it ended."""
    label, minutes, continues = step.label, math.inf, False
    outputs: Mapping[str, str] = {}
    try:
        bare = _scope(around, folders, progress, {})
        step_env = {
            key: values.text(value) for key, value in _mapping(fill(step.env or {}, bare), "env").items()
        }
        scope = _scope(around, folders, progress, step_env)
        label = values.text(fill(step.name, scope)) or label
        if not condition(step.condition, scope):
            progress.made.append(StepRun(label, SKIPPED, SKIPPED, uses=step.uses or ""))
            if step.id:
                progress.steps[step.id] = {"outputs": {}, "outcome": SKIPPED, "conclusion": SKIPPED}
            return
        continues = values.truthy(fill(step.continue_on_error, scope))
        minutes = _minutes(fill(step.timeout_minutes, scope), math.inf)
        room = max(0.1, min(minutes * 60, deadline - time.monotonic(), around.settings.most_seconds))
        ended, outputs = _do(step, job, folders, around, progress, scope, step_env, room)
    except BadExpression as error:
        ended = Outcome(1, f"{error}\n")
    if ended.timed_out and time.monotonic() > deadline:
        progress.status = CANCELLED
    outcome = SUCCESS if ended.status == 0 else FAILURE
    conclusion = SUCCESS if continues else outcome
    if conclusion == FAILURE and progress.status == SUCCESS:
        progress.status = FAILURE
    if step.id:
        progress.steps[step.id] = {"outputs": outputs, "outcome": outcome, "conclusion": conclusion}
    output = ended.output + ("(it did not end in time)\n" if ended.timed_out else "")
    for secret in contexts.secrets(around.event, around.settings).values():
        output = output.replace(secret, "***") if secret else output
    run = StepRun(label, outcome, conclusion, output, step.uses or "", ended.status, minutes)
    progress.made.append(run)


def _do(
    step: Step, job: Job, folders: Folders, around: Surroundings, progress: _Progress, scope: Scope,
    step_env: dict[str, str], room: float,
) -> tuple[Outcome, Mapping[str, str]]:  # fmt: skip
    """Do what a step says. Returns how it ended, and its outputs."""
    machine, env = around.machine, progress.env.of_step(step_env)
    if step.uses is not None:
        site = actions.Site(machine, around.settings, folders, around.event, around.record, env)
        done = actions.perform(step.uses, site, fill(step.inputs or {}, scope))
        progress.env.set_by_steps.update(done.variables)
        return Outcome(done.status, done.output), done.outputs
    kinds = {
        "GITHUB_OUTPUT": "output",
        "GITHUB_ENV": "env",
        "GITHUB_PATH": "path",
        "GITHUB_STEP_SUMMARY": "summary",
    }
    files = {name: f"{folders.files}/{kind}-{step.number}" for name, kind in kinds.items()}
    for path in files.values():
        machine.write(path, b"")
    env |= {name: f"{machine.root}/{path}" for name, path in files.items()}
    shell = values.text(fill(_setting(step.shell, "shell", job, around), scope))
    if (shell not in SHELLS and "{0}" not in shell) or "'" in shell or '"' in shell:
        raise Unsupported(f"`shell: {shell}`")
    script = f"{folders.temp}/step-{step.number}{'.py' if shell == 'python' else '.sh'}"
    machine.write(script, values.text(fill(step.run, scope)).encode())
    folder = values.text(fill(_setting(step.working_directory, "working-directory", job, around), scope))
    cwd = _folder(folder, folders, machine.root)
    argv = [word.replace("{0}", f"{machine.root}/{script}") for word in shlex.split(SHELLS.get(shell, shell))]
    ended = machine.run(argv, cwd=cwd, env=env, timeout=room)
    unknown = machine.read(f"{folders.tools}/could-not-check")
    if unknown is not None:
        raise Unsupported(unknown.decode("utf-8", "replace")[:300])
    said = {name: (machine.read(path) or b"").decode("utf-8", "replace") for name, path in files.items()}
    progress.summary += said["GITHUB_STEP_SUMMARY"]
    progress.env.added_paths += [line for line in said["GITHUB_PATH"].splitlines() if line]
    try:
        progress.env.learn(said["GITHUB_ENV"])
        return ended, assignments(said["GITHUB_OUTPUT"])
    except BadFile as error:
        return Outcome(ended.status or 1, f"{ended.output}{error}\n"), {}


def _setting(own: Any, key: str, job: Job, around: Surroundings) -> Any:
    """A step's shell or working-directory, or the default of the job or of the workflow."""
    for body in (job.body, around.workflow.body):
        if own is None:
            defaults = body.get("defaults")
            run = defaults.get("run") if isinstance(defaults, dict) else None
            own = run.get(key) if isinstance(run, dict) else None
    return "" if own is None else own


def _folder(written: str, folders: Folders, root: str) -> str:
    if not written.startswith("/"):
        return inside(folders.workspace, written)
    if not written.startswith(f"{root}/"):
        raise Unsupported(f"`working-directory: {written}`, outside of the workspace")
    return written.removeprefix(f"{root}/")


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadExpression(f"`{what}` is no mapping")
    return value


def _minutes(value: Any, default: float) -> float:
    if value is None:
        return default
    minutes = values.number(value)
    if not minutes > 0:
        raise BadExpression(f"`timeout-minutes: {values.text(value)}` is no number of minutes")
    return minutes
