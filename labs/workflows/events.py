"""Events, and which workflows they start.

Source: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.workflows import patterns
from labs.workflows.document import Workflow

# The activity types that start a workflow which names none.
DEFAULT_TYPES = {
    "pull_request": ("opened", "synchronize", "reopened"),
    "pull_request_target": ("opened", "synchronize", "reopened"),
}
PULL_REQUESTS = ("pull_request", "pull_request_target")


@dataclass(frozen=True)
class PullRequest:
    """What GitHub tells a workflow about a pull request. The commits are in the origin.

    `base_sha` is the tip of the base branch when it was opened, and `base_tip` that of now: GitHub does not tell it.
    """

    number: int
    title: str
    head_ref: str
    base_ref: str
    head_sha: str
    base_sha: str
    merge_sha: str
    body: str = ""
    author: str = "asha"
    from_fork: bool = False
    labels: tuple[str, ...] = ()
    draft: bool = False
    base_tip: str = ""  # "": the same as `base_sha`


@dataclass(frozen=True)
class Event:
    """Something that happened in a repository.

    Args:
        name: `push`, `pull_request`, `schedule`, …
        ref, sha: what a checkout takes unless it is told otherwise; `refs/heads/main` and its commit.
        changed: paths that differ, for `paths` filters.
        action: the activity type, such as `opened`.
        inputs: of `workflow_dispatch`.
    """

    name: str
    ref: str
    sha: str
    action: str = ""
    changed: tuple[str, ...] = ()
    pull_request: PullRequest | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    actor: str = "asha"

    @property
    def is_from_fork(self) -> bool:
        """A pull request of a stranger: no secrets, a token that only reads."""
        return self.name == "pull_request" and self.pull_request is not None and self.pull_request.from_fork

    def payload(self, repository: str) -> dict[str, Any]:
        """`github.event`, as far as workflows usually look into it."""
        owner, _, name = repository.partition("/")
        ours = {"full_name": repository, "name": name, "owner": {"login": owner}, "default_branch": "main"}
        body: dict[str, Any] = {"repository": ours, "sender": {"login": self.actor}}
        if self.action:
            body["action"] = self.action
        if self.inputs:
            body["inputs"] = dict(self.inputs)
        request = self.pull_request
        if request is None:
            return {**body, "ref": self.ref, "after": self.sha}
        theirs = {**ours, "full_name": f"{request.author}/{name}", "owner": {"login": request.author}}
        head_repository = {**(theirs if request.from_fork else ours), "fork": request.from_fork}
        head_owner = request.author if request.from_fork else owner
        body["number"] = request.number
        body["pull_request"] = {
            "number": request.number,
            "title": request.title,
            "body": request.body,
            "draft": request.draft,
            "user": {"login": request.author},
            "labels": [{"name": label} for label in request.labels],
            "merge_commit_sha": request.merge_sha,
            "head": {
                "ref": request.head_ref,
                "label": f"{head_owner}:{request.head_ref}",
                "sha": request.head_sha,
                "repo": head_repository,
            },
            "base": {
                "ref": request.base_ref,
                "label": f"{owner}:{request.base_ref}",
                "sha": request.base_sha,
                "repo": ours,
            },
        }
        return body


def pull_request_event(
    request: PullRequest, changed: tuple[str, ...], action: str = "opened", name: str = "pull_request"
) -> Event:
    """The event of a pull request. `pull_request_target` runs on the base branch, and trusts what it finds there."""
    if name == "pull_request_target":
        ref, sha = f"refs/heads/{request.base_ref}", request.base_tip or request.base_sha
    else:
        ref, sha = f"refs/pull/{request.number}/merge", request.merge_sha
    return Event(name, ref, sha, action, changed, request, actor=request.author)


def starts(workflow: Workflow, event: Event) -> tuple[bool, str]:
    """Whether the event starts the workflow, and if not, why."""
    if event.name not in workflow.triggers:
        return False, f"`on` does not name {event.name}"
    filters = workflow.triggers[event.name]
    types = _listed(filters.get("types")) or DEFAULT_TYPES.get(event.name, ())
    if event.action and types and event.action not in types:
        return False, f"`types` does not name {event.action}"
    if event.name in PULL_REQUESTS and event.pull_request is not None:
        why = _refused(filters, "branches", event.pull_request.base_ref)
    elif event.name == "push":
        why = _push_refused(filters, event)
    else:
        return True, ""
    if not why and not event.ref.startswith("refs/tags/"):  # GitHub does not look at paths for tags
        why = _paths_refused(filters, event.changed)
    return not why, why


def _push_refused(filters: Mapping[str, Any], event: Event) -> str:
    kind, other = ("tags", "branches") if event.ref.startswith("refs/tags/") else ("branches", "tags")
    has_own = kind in filters or f"{kind}-ignore" in filters
    if not has_own and (other in filters or f"{other}-ignore" in filters):
        return f"it filters by `{other}` alone"
    return _refused(filters, kind, event.ref.split("/", 2)[2])


def _refused(filters: Mapping[str, Any], kind: str, name: str) -> str:
    if kind in filters and not patterns.selected(name, _listed(filters[kind])):
        return f"`{kind}` does not select {name}"
    ignored = _listed(filters.get(f"{kind}-ignore"))
    if ignored and patterns.selected(name, ignored):
        return f"`{kind}-ignore` selects {name}"
    return ""


def _paths_refused(filters: Mapping[str, Any], changed: tuple[str, ...]) -> str:
    wanted, ignored = _listed(filters.get("paths")), _listed(filters.get("paths-ignore"))
    if wanted and not any(patterns.selected(path, wanted) for path in changed):
        return "`paths` selects no file that changed"
    if ignored and changed and all(patterns.selected(path, ignored) for path in changed):
        return "`paths-ignore` selects every file that changed"
    return ""


def _listed(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)
