"""Runs a workflow for one event: which jobs, in which order, as how many.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idneeds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labs.workflows import contexts, matrix, values
from labs.workflows.document import Job, Workflow
from labs.workflows.errors import BadExpression, Malformed
from labs.workflows.events import Event
from labs.workflows.expressions import Scope, condition, fill
from labs.workflows.functions import ALWAYS_THERE
from labs.workflows.job import Surroundings, run_job
from labs.workflows.machine import Machine
from labs.workflows.record import Record
from labs.workflows.results import CANCELLED, FAILURE, SKIPPED, SUCCESS, JobRun, Run
from labs.workflows.settings import Folders, Settings


def run(
    workflow: Workflow,
    event: Event,
    machine: Machine,
    settings: Settings,
    folder: str,
    ended: Mapping[str, Sequence[JobRun]] | None = None,
) -> Run:
    """Run every job of a workflow that an event starts (`events.starts` says whether it does).

    Jobs run one after the other, those that GitHub would start at the same time as well.

    Args:
        folder: where the jobs keep their files, relative to the machine's folder; new for each run.
        ended: jobs, by id, that are not run, because it is known how they ended.

    Raises:
        Unsupported: something that this runner does not have; nothing may be concluded.
        Malformed: GitHub would not start the workflow.
    """
    record = Record()
    done: dict[str, list[JobRun]] = {}
    for job in in_order(workflow):
        if ended and job.id in ended:
            done[job.id] = list(ended[job.id])
            continue
        needs = {need: done[need] for need in job.needs}
        above = [one for need in needed_by(workflow, job) for one in done[need]]
        scope = scope_of(workflow, event, settings, needs, above)
        done[job.id] = _run_one(
            job, scope, Surroundings(machine, settings, workflow, event, record, scope), folder
        )
    return Run(workflow, event, tuple(one for job in done.values() for one in job), record)


def in_order(workflow: Workflow) -> list[Job]:
    """The jobs, each behind those that it needs.

    Raises:
        Malformed: they need each other in a circle.
    """
    waiting, ordered = dict(workflow.jobs), list[Job]()
    while waiting:
        ready = [job for job in waiting.values() if not any(need in waiting for need in job.needs)]
        if not ready:
            raise Malformed(workflow.path, f"these jobs need each other in a circle: {', '.join(waiting)}")
        ordered += ready
        for job in ready:
            del waiting[job.id]
    return ordered


def needed_by(workflow: Workflow, job: Job) -> list[str]:
    """Every job that this one needs, and what those need."""
    found: list[str] = []
    pending = list(job.needs)
    while pending:
        need = pending.pop()
        if need not in found:
            found.append(need)
            pending += workflow.jobs[need].needs
    return found


def result_of(runs: Sequence[JobRun]) -> str:
    """`needs.<job>.result`: of one job, or of all combinations of its matrix."""
    results = [SUCCESS if run.continues and run.result == FAILURE else run.result for run in runs]
    return next((result for result in (FAILURE, CANCELLED) if result in results), None) or (
        SUCCESS if SUCCESS in results else SKIPPED
    )


def scope_of(
    workflow: Workflow,
    event: Event,
    settings: Settings,
    needs: Mapping[str, Sequence[JobRun]],
    above: Sequence[JobRun],
) -> Scope:
    """What expressions of a job see before it starts. `needs`: how those ended that it names; `above`: all above it."""
    by_id: dict[str, list[JobRun]] = {}
    for one in above:
        by_id.setdefault(one.id, []).append(one)
    results = [result_of(runs) for runs in by_id.values()]
    inputs = event.inputs if event.name == "workflow_dispatch" else {}
    return Scope(
        {
            "github": contexts.github(workflow, event, settings),
            "needs": {
                need: {
                    "result": result_of(runs),
                    "outputs": {k: v for one in runs for k, v in one.outputs.items()},
                }
                for need, runs in needs.items()
            },
            "vars": dict(settings.variables),
            "inputs": dict(inputs),
            "secrets": contexts.secrets(event, settings),
            "strategy": {},
            "matrix": {},
        },
        {
            **ALWAYS_THERE,
            "success": lambda: all(result == SUCCESS for result in results),
            "failure": lambda: FAILURE in results,
            "cancelled": lambda: False,
            "always": lambda: True,
        },
    )


def _run_one(job: Job, scope: Scope, around: Surroundings, folder: str) -> list[JobRun]:
    """One job, or all combinations of its matrix."""
    try:
        if not condition(job.condition, scope):
            return [JobRun(job.id, _name(job, scope, {}), SKIPPED, why=_why_skipped(job, scope))]
        strategy = fill(job.body.get("strategy") or {}, scope)
        if not isinstance(strategy, dict):
            raise BadExpression("`strategy` is no mapping")
        chosen = matrix.combinations(strategy["matrix"]) if strategy.get("matrix") else [{}]
    except BadExpression as error:
        return [JobRun(job.id, job.id, FAILURE, why=str(error))]
    fails_fast = values.truthy(strategy.get("fail-fast", True))
    most = values.number(strategy.get("max-parallel"))
    at_once = int(most) if 1 <= most < len(chosen) else len(chosen)
    made: list[JobRun] = []
    for number, combination in enumerate(chosen):
        started = number - number % at_once  # the combinations before this one have ended when it starts
        told = {
            "fail-fast": fails_fast,
            "job-index": number,
            "job-total": len(chosen),
            "max-parallel": at_once,
        }
        inner = scope.with_context("matrix", combination).with_context("strategy", told)
        name = _name(job, inner, combination)
        if fails_fast and any(one.result == FAILURE and not one.continues for one in made[:started]):
            made.append(JobRun(job.id, name, CANCELLED, why="another combination had failed: `fail-fast`"))
            continue
        place = Folders(f"{folder}/{job.id}" + (f"-{number}" if len(chosen) > 1 else ""))
        surroundings = Surroundings(
            around.machine, around.settings, around.workflow, around.event, around.record, inner
        )
        try:
            made.append(run_job(job, name, place, surroundings))
        except BadExpression as error:
            made.append(JobRun(job.id, name, FAILURE, why=str(error)))
    return made


def _why_skipped(job: Job, scope: Scope) -> str:
    """What said no: a job that it needs and that was no success, or its own `if`."""
    needs = {need: told["result"] for need, told in scope.contexts["needs"].items()}
    poor = next(
        (f"its need `{need}` is “{result}”" for need, result in needs.items() if result != SUCCESS), ""
    )
    own = f"its `if` said no: {' '.join(values.text(job.body['if']).split())}" if "if" in job.body else ""
    return "; ".join(filter(None, (poor, own))) or "a job above those that it needs was no success"


def _name(job: Job, scope: Scope, combination: Mapping[str, Any]) -> str:
    """The name of the check."""
    if job.body.get("name"):
        try:
            return values.text(fill(job.body["name"], scope))
        except BadExpression:
            return str(job.body["name"])
    return matrix.label(job.id, combination)
