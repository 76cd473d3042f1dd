"""Opens one of the grader's pull requests on the repository in this folder, and runs its workflows, unprotected.

    python …/checks/open_pull_request.py [NAME] [--seed NUMBER] [--log]

`--help` lists the names; one with a space needs quotes. With "hang", the test that fails in "test" finds no end, until
GitHub cancels its job.

Exit status: 0 it may be merged, 1 it is blocked, 2 the runner cannot tell.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from labs import workflows
from labs.workflows import Image, Malformed, Run, Settings, ThisComputer, Unsupported, Workflow, repository
from labs.workflows.results import CANCELLED
from proposals import CANARY, MARK, Drawn, draw, given, history
from running import REPOSITORY, SECRETS, Site, after_a_hang

MARKS = {"success": "✓", "failure": "✗", "skipped": "–"}
SKIPPED = {".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache"}
HAPPENED = {
    "opened": "it is opened",
    "synchronize": "it has got a new push",
    "reopened": "it is opened again",
}
HANGS = {"hang": "test"}


def tree(folder: Path) -> dict[str, bytes]:
    """What stands in the folder, and our own copy of what was given."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not SKIPPED & set(path.parts)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths} | given()


def opened(machine: ThisComputer, folder: Path, drawn: Drawn, name: str) -> Site:
    """Open the pull request."""
    files = tree(folder)
    programs = frozenset(path for path in files if os.access(folder / path, os.X_OK))
    proposal = drawn.proposals[name]
    requests = repository.open_pull_requests(machine, "origin.git", history(files), [proposal], programs)
    for path, source in drawn.packages.items():
        machine.write(f"index/{path}", source.encode())
    settings = Settings("origin.git", REPOSITORY, secrets=SECRETS, image=Image(index=f"{machine.root}/index"))
    return Site(machine, settings, proposal, requests[proposal.number])


def workflows_of(folder: Path) -> list[Workflow]:
    """The workflows in the folder; those that hold nothing are named."""
    found = []
    for path in sorted((folder / ".github/workflows").glob("*.y*ml")):
        name = path.relative_to(folder).as_posix()
        workflow = workflows.read(name, path.read_bytes())
        if workflow is None:
            print(f"{name} does not start: it holds nothing")
        else:
            found.append(workflow)
    return found


def review(site: Site, found: list[Workflow], action: str, hangs: bool) -> list[Run]:
    """Run every workflow that the pull request starts."""
    runs = site.run_all(found, action)
    for number, run in enumerate(runs if hangs else ()):
        ended, others_need_it = after_a_hang(run)
        again = site.run_below(run, action, ended) if others_need_it else None
        runs[number] = again or replace(run, jobs=tuple(job for jobs in ended.values() for job in jobs))
    return runs


def show(
    found: list[Workflow], runs: list[Run], site: Site, action: str, hangs: bool = False, lines: int = 6
) -> None:
    """Jobs and steps, and the end of what a failed step has printed."""
    for workflow in found:
        started = [run for run in runs if run.workflow is workflow]
        event = workflows.pull_request_event(site.request, site.proposal.changed, action)
        if not started:
            print(f"{workflow.path} does not start: {workflows.starts(workflow, event)[1]}")
        for run in started:
            kind = "" if run.event.name == event.name else f", on {run.event.name}, with the secrets"
            print(f"{workflow.path}{kind}")
            for job in run.jobs:
                print(f"  {job.name}: {job.result}" + (f" ({job.why})" if job.why else ""))
                for step in job.steps:
                    ended = not (hangs and job.result == CANCELLED and step == job.failed_step)
                    print(f"    {MARKS[step.outcome]} {step.label}" + ("" if ended else " (never ended)"))
                    if step.outcome == "failure" and ended:
                        said = step.output.strip().splitlines()[-lines:]
                        print("".join(f"      {line}\n" for line in said), end="")
            for note in dict.fromkeys(run.record.notes):
                print(f"  note: {note}")


def log(runs: list[Run]) -> None:
    """All that the steps have printed."""
    for run in runs:
        for job in run.jobs:
            for step in job.steps:
                print(f"\n{job.name} · {step.label}\n{step.output}", end="")
    print()


def sum_up(site: Site, runs: list[Run]) -> int:
    """What is left of the run in the end. Returns the exit status."""
    summary = "".join(job.summary for run in runs for job in run.jobs).strip("\n")
    title = "with" if site.proposal.title in summary else "without"
    print(
        f"summary of the run, {title} the title, letter by letter:" if summary else "summary of the run: none"
    )
    print("".join(f"  {line}\n" for line in summary.splitlines()[:20]), end="")
    files = site.files()
    made = [path for path in files if path.rpartition("/")[2] == MARK]
    print(f"a file `{MARK}`: " + (f"{made[0]}. Somebody has run the title!" if made else "no"))
    if any("-pull_request_target/" in path and path.endswith(f"/{CANARY}") for path in files):
        print("the code of a stranger ran beside the secrets, on pull_request_target!")
    check = workflows.required(runs, "gate")
    verdict = "may be merged" if check.mergeable else "is blocked"
    print(f"`gate` is “{check.state}”: {check.because}. It {verdict}.")
    return 0 if check.mergeable else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="open_pull_request")
    names = ", ".join(
        f'"{name}"' if " " in name else name for name in [*draw(np.random.default_rng(1)).proposals, *HANGS]
    )
    parser.add_argument(
        "name", nargs="?", default="good", help=f"one of {names}; a name with a space needs its quotes"
    )
    parser.add_argument("--seed", type=int, default=1, help="draws the pull requests anew")
    parser.add_argument("--log", action="store_true", help="print what every step has printed")
    options = parser.parse_args()
    drawn = draw(np.random.default_rng(options.seed))
    name = HANGS.get(options.name, options.name)
    if name not in drawn.proposals:
        parser.error(f"the pull requests are: {', '.join([*drawn.proposals, *HANGS])}")
    proposal, action = drawn.proposals[name], drawn.actions[name]
    changed = ", ".join(proposal.changed)
    print(f"pull request #{proposal.number} “{proposal.title}”, {HAPPENED[action]}: {changed}")
    machine = ThisComputer()
    try:
        site, found = opened(machine, Path.cwd(), drawn, name), workflows_of(Path.cwd())
        runs = review(site, found, action, hangs=options.name in HANGS)
        show(found, runs, site, action, hangs=options.name in HANGS)
        if options.log:
            log(runs)
        return sum_up(site, runs)
    except Malformed as error:
        print(f"GitHub would refuse it: {error}")
        return 1
    except Unsupported as error:
        print(f"could not check: the runner of this lab cannot do {error}")
        return 2
    finally:
        machine.close()


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read this has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
