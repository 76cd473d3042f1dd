"""The contexts and variables that GitHub gives to a job.

Source: https://docs.github.com/actions/reference/workflows-and-actions/contexts
"""

from __future__ import annotations

from typing import Any

from labs.workflows.document import Job, Workflow
from labs.workflows.events import Event
from labs.workflows.settings import Folders, Settings

TOKEN = "token-of-this-run"


def github(workflow: Workflow, event: Event, settings: Settings) -> dict[str, Any]:
    """The `github` context, as far as it is known before a job has a machine."""
    request = event.pull_request
    is_tag = event.ref.startswith("refs/tags/")
    short = event.ref.split("/", 2)[2] if event.ref.startswith("refs/") else event.ref
    return {
        "token": TOKEN,
        "event": event.payload(settings.repository),
        "event_name": event.name,
        "ref": event.ref,
        "ref_name": short,
        "ref_type": "tag" if is_tag else "branch",
        "sha": event.sha,
        "head_ref": request.head_ref if request else "",
        "base_ref": request.base_ref if request else "",
        "repository": settings.repository,
        "repository_owner": settings.repository.partition("/")[0],
        "actor": event.actor,
        "triggering_actor": event.actor,
        "workflow": workflow.name,
        "workflow_ref": f"{settings.repository}/{workflow.path}@{event.ref}",
        "run_id": str(settings.run_id),
        "run_number": "1",
        "run_attempt": "1",
        "server_url": "https://github.com",
        "api_url": "https://api.github.com",
        "graphql_url": "https://api.github.com/graphql",
    }


def secrets(event: Event, settings: Settings) -> dict[str, str]:
    """What the job may know. A pull request from a fork may know nothing but its token."""
    return {**({} if event.is_from_fork else settings.secrets), "GITHUB_TOKEN": TOKEN}


def variables(
    context: dict[str, Any], job: Job, root: str, folders: Folders, settings: Settings
) -> dict[str, str]:
    """The environment variables that are there before anybody sets one."""
    given = {
        f"GITHUB_{name.upper()}": value
        for name, value in context.items()
        if isinstance(value, str) and name not in ("token",)
    }
    tools = f"{root}/{folders.tools}"
    return {
        **given,
        "GITHUB_JOB": job.id,
        "GITHUB_WORKSPACE": f"{root}/{folders.workspace}",
        "GITHUB_EVENT_PATH": f"{root}/{folders.files}/event.json",
        "GITHUB_ACTIONS": "true",
        "CI": "true",
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": "X64",
        "RUNNER_NAME": "local",
        "RUNNER_ENVIRONMENT": "github-hosted",
        "RUNNER_TEMP": f"{root}/{folders.temp}",
        "TMPDIR": f"{root}/{folders.temp}",
        "RUNNER_TOOL_CACHE": f"{root}/{folders.tools}",
        "HOME": f"{root}/{folders.base}/home",
        "PATH": f"{tools}/bin:{settings.image.path}",
        "LANG": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
