"""Which concurrency groups the jobs of a workflow are in. The runner itself runs one job after the other.

Source: https://docs.github.com/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
"""

from __future__ import annotations

from typing import Any

from labs.workflows import matrix, values
from labs.workflows.document import Job, Workflow
from labs.workflows.events import Event
from labs.workflows.expressions import Scope, fill
from labs.workflows.runner import scope_of
from labs.workflows.settings import Settings

Group = tuple[str, bool]
"""Its name, and whether a run that comes ends the one that is at work. What waits is always ended by one that comes."""


def groups(workflow: Workflow, job: Job, event: Event, settings: Settings) -> list[tuple[Group, ...]]:
    """For each combination of the job's matrix: the groups it is in, by the workflow and by the job itself.

    Raises:
        BadExpression: an expression in it that GitHub would refuse.
    """
    scope = scope_of(workflow, event, settings, {}, ())
    strategy = fill(job.body.get("strategy") or {}, scope)
    chosen = matrix.combinations(strategy["matrix"]) if strategy.get("matrix") else [{}]
    of_all = _group(workflow.body.get("concurrency"), scope)
    return [
        (*of_all, *_group(job.body.get("concurrency"), scope.with_context("matrix", one))) for one in chosen
    ]


def _group(said: Any, scope: Scope) -> tuple[Group, ...]:
    """`concurrency:` is a name, or a mapping with `group` and `cancel-in-progress`."""
    found = fill(said or "", scope)
    if not isinstance(found, dict):
        found = {"group": found}
    name = values.text(found.get("group") or "")
    cancels = values.text(found.get("cancel-in-progress")).lower() == "true"
    return ((name, cancels),) if name else ()
