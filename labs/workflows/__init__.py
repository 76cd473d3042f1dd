"""A small, honest runner of GitHub Actions workflows.

It runs what a workflow's own steps say, with GitHub's rules: triggers and their filters, the order by `needs`,
`if`, matrix, `env`, `defaults`, `working-directory`, outputs, `continue-on-error`, `timeout-minutes`, permissions,
secrets and forks. It knows a few actions (registry.py), and does them with what is on this machine, without a
network.

What it does not do raises `Unsupported`, so that whoever called can say "could not check" and never "passed":
reusable workflows, local and Docker actions, all other actions and commits, containers and services, Windows and macOS,
submodules, another repository, what pip or uv would have to download. Not done, and without a word: waiting for
concurrency groups (concurrency.py says which they are), environments and their approvals, the contents of caches (only
whether what was installed lay there is recorded), log commands such as `::error::`, `cancelled()` by a person. Jobs run
one after the other.
"""

from __future__ import annotations

from labs.workflows.document import Job, Step, Workflow, read
from labs.workflows.errors import BadExpression, Malformed, Unsupported
from labs.workflows.events import Event, PullRequest, pull_request_event, starts
from labs.workflows.machine import Machine, Outcome, ThisComputer
from labs.workflows.registry import Registry
from labs.workflows.results import Check, JobRun, Run, StepRun, required
from labs.workflows.runner import run
from labs.workflows.settings import Image, Settings

__all__ = [
    "BadExpression",
    "Check",
    "Event",
    "Image",
    "Job",
    "JobRun",
    "Machine",
    "Malformed",
    "Outcome",
    "PullRequest",
    "Registry",
    "Run",
    "Settings",
    "Step",
    "StepRun",
    "ThisComputer",
    "Unsupported",
    "Workflow",
    "pull_request_event",
    "read",
    "required",
    "run",
    "starts",
]
