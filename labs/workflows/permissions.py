"""What the token of a job may do.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#permissions
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labs.workflows.document import Job, Workflow
from labs.workflows.errors import Malformed
from labs.workflows.events import Event

SCOPES = (
    "actions", "attestations", "checks", "contents", "deployments", "discussions", "id-token", "issues", "models",
    "packages", "pages", "pull-requests", "repository-projects", "security-events", "statuses",
)  # fmt: skip
LEVELS = ("none", "read", "write")
NO_READ = ("id-token",)  # there is nothing to read


def of(workflow: Workflow, job: Job, default: str = "write-all") -> dict[str, str]:
    """Scope → level, for every scope that is not `none`.

    Args:
        default: what the repository's settings give to a workflow that says nothing: "write-all", or "read-all".

    Raises:
        Malformed: an unknown word.
    """
    written: Any = default
    for body in (workflow.body, job.body):
        if "permissions" in body:
            written = body["permissions"]
    if written is None:
        written = {}
    if isinstance(written, str):
        if written not in ("read-all", "write-all"):
            raise Malformed(workflow.path, f"job `{job.id}`: permissions cannot be `{written}`")
        level = written.removesuffix("-all")
        return {scope: level for scope in SCOPES if level == "write" or scope not in NO_READ}
    if not isinstance(written, Mapping):
        raise Malformed(workflow.path, f"job `{job.id}`: permissions are a mapping")
    for scope, level in written.items():
        if level not in LEVELS:
            raise Malformed(workflow.path, f"job `{job.id}`: permissions cannot be `{scope}: {level}`")
    return {str(scope): str(level) for scope, level in written.items() if level != "none"}


def granted(declared: Mapping[str, str], event: Event) -> dict[str, str]:
    """What is left of them for this event: a pull request from a fork never gets more than reading."""
    if not event.is_from_fork:
        return dict(declared)
    return {scope: "read" for scope in declared if scope not in NO_READ}
