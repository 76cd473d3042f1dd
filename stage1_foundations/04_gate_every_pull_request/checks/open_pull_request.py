"""Opens one of the grader's pull requests on the repository in this folder, and runs its workflows, unprotected.

    python …/checks/open_pull_request.py [NAME] [--seed NUMBER] [--log]

Exit status: 0 it may be merged, 1 it is blocked, 2 the runner cannot tell.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from labs import workflows
from labs.workflows import Image, Malformed, Run, Settings, ThisComputer, Unsupported, repository
from labs.workflows.repository import Proposal
from proposals import draw, given

MARKS = {"success": "✓", "failure": "✗", "skipped": "–"}
SKIPPED = {".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache"}


def tree(folder: Path) -> dict[str, bytes]:
    """What stands in the folder, and our own copy of what was given."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not SKIPPED & set(path.parts)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths} | given()


def review(machine: ThisComputer, folder: Path, proposal: Proposal, packages: dict[str, Path]) -> list[Run]:
    """Open the pull request, and run every workflow that it starts."""
    files = tree(folder)
    programs = frozenset(path for path in files if os.access(folder / path, os.X_OK))
    request = repository.open_pull_requests(machine, "origin.git", files, [proposal], programs)[
        proposal.number
    ]
    for path, source in packages.items():
        machine.write(f"index/{path}", source.read_bytes())
    image = Image(index=f"{machine.root}/index")
    settings = Settings("origin.git", "nukkad-pay/fraudscore", image=image, run_id=proposal.number)
    event = workflows.pull_request_event(request, proposal.changed)
    runs = []
    for path in sorted((folder / ".github/workflows").glob("*.y*ml")):
        name = path.relative_to(folder).as_posix()
        workflow = workflows.read(name, path.read_bytes())
        started, why = workflows.starts(workflow, event) if workflow else (False, "it holds nothing")
        print(name if started else f"{name} does not start: {why}")
        if workflow and started:
            runs.append(workflows.run(workflow, event, machine, settings, f"runs/{len(runs)}"))
            show(runs[-1])
    return runs


def show(run: Run, lines: int = 6) -> None:
    """Jobs and steps, and the end of what a failed step has printed."""
    for job in run.jobs:
        print(f"  {job.name}: {job.result}" + (f" ({job.why})" if job.why else ""))
        for step in job.steps:
            print(f"    {MARKS[step.outcome]} {step.label}")
            if step.outcome == "failure":
                print(
                    "".join(f"      {line}\n" for line in step.output.strip().splitlines()[-lines:]), end=""
                )
    for note in dict.fromkeys(run.record.notes):
        print(f"  note: {note}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="open_pull_request")
    parser.add_argument("name", nargs="?", default="good")
    parser.add_argument("--seed", type=int, default=1, help="draws the pull requests anew")
    parser.add_argument("--log", action="store_true", help="print what every step has printed")
    options = parser.parse_args()
    drawn = draw(np.random.default_rng(options.seed))
    if options.name not in drawn.proposals:
        parser.error(f"the pull requests are: {', '.join(drawn.proposals)}")
    proposal = drawn.proposals[options.name]
    print(f"pull request #{proposal.number} “{proposal.title}”: {', '.join(proposal.changed)}")
    machine = ThisComputer()
    try:
        runs = review(machine, Path.cwd(), proposal, drawn.packages)
    except Malformed as error:
        print(f"GitHub would refuse it: {error}")
        return 1
    except Unsupported as error:
        print(f"could not check: the runner of this lab cannot do {error}")
        return 2
    finally:
        machine.close()
    if options.log:
        for run in runs:
            for job in run.jobs:
                for step in job.steps:
                    print(f"\n{job.name} · {step.label}\n{step.output}", end="")
    check = workflows.required(runs, "gate")
    print(
        f"`gate` is “{check.state}”: {check.because}. It {'may be merged' if check.mergeable else 'is blocked'}."
    )
    return 0 if check.mergeable else 1


if __name__ == "__main__":
    sys.exit(main())
