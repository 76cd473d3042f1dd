"""What happens to a repository: pull requests, pushes, and everything else that starts one of its workflows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from labs import workflows
from labs.workflows import Event, PullRequest, Workflow

QUOTED, MOST_WORDS = re.compile(r"'([^']{1,60})'"), 4
PLAIN = {
    "push",
    "pull_request",
    "pull_request_target",
    "workflow_dispatch",
    "schedule",
    "true",
    "false",
    "success",
    "failure",
    "main",
    "refs/heads/main",
    "staging",
    "prod",
}


def own_refs(event: Event) -> set[str]:
    """What a checkout may name to get the files that the event is about.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request
    """
    request = event.pull_request
    if request is None:
        return {"", event.sha, event.ref, event.ref.removeprefix("refs/heads/")}
    heads = {request.head_sha, request.head_ref, f"refs/heads/{request.head_ref}"}
    return {"", event.sha, event.ref, f"refs/pull/{request.number}/head", *heads}


def pull_request(
    number: int, name: str = "pull_request", changed: str = "infra/main.tf", said: str = "", **other: Any
) -> Event:
    """A pull request to main. `said`: its title, its branch and its author are this word."""
    title, branch, author = (said, said, said) if said else ("Larger servers", "larger", "asha")
    request = PullRequest(number, title, branch, "main", "a" * 40, "b" * 40, "c" * 40, author=author, **other)
    return workflows.pull_request_event(request, (changed,), name=name)


def push(sha: str = "d" * 40, branch: str = "main") -> Event:
    return Event("push", f"refs/heads/{branch}", sha, changed=("infra/main.tf",))


def others(found: list[Workflow]) -> list[Event]:
    """What else starts one of the workflows: a person, on any branch, a clock, or another program."""
    events = []
    for name in ("workflow_dispatch", "schedule", "repository_dispatch"):
        for workflow in found:
            if name in workflow.triggers:
                asked = workflow.triggers[name].get("inputs") or {}
                inputs = {key: _chosen(each or {}) for key, each in asked.items()}
                events.append(Event(name, "refs/heads/main", "e" * 40, inputs=inputs))
                if name == "workflow_dispatch":
                    events.append(Event(name, "refs/heads/larger", "e" * 40, inputs=inputs))
    return events


def _chosen(about: Mapping[str, Any]) -> Any:
    """What somebody in a hurry gives for an input."""
    options = [str(each) for each in about.get("options") or []]
    if about.get("type") == "boolean":
        return True
    if options:
        return "prod" if "prod" in options else options[0]
    return about.get("default") or "prod"


def words(found: list[Workflow]) -> list[str]:
    """The words with which the conditions of the workflows compare something: names, labels, titles."""
    said = [str(part.get("if") or "") for each in found for part in _parts(each)]
    return sorted({word for text in said for word in QUOTED.findall(text)} - PLAIN)[:MOST_WORDS]


def _parts(workflow: Workflow) -> Iterator[Mapping[str, Any]]:
    for job in workflow.jobs.values():
        yield job.body
        yield from (each for each in job.body.get("steps") or [] if isinstance(each, dict))
