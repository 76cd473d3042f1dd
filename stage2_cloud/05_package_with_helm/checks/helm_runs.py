"""Helm's runs in the sandbox, and what comes of them. Whatever it says was made from a stranger's chart: plain data."""

from __future__ import annotations

import json
from pathlib import Path

from company import FILES
from labs.checks import CouldNotCheck, Work
from labs.grading.evidence import Evidence, NotStarted
from labs.results import Finding
from manifests import Obj, of_kind

PROGRAM = [Path(__file__).with_name(name) for name in ("helm_inside.py", "helm_cluster.py")]
MOST_OBJECTS, MOST_BYTES, MOST_PODS = 40, 400_000, 20
ANSWERS = "answers-of-helm.json"
SCHEMA = "HelmValuesError"


def look_for_files(work: Work) -> None:
    """Raises: NotStarted, a file of the contract is missing or no template is there."""
    paths = work.files()
    missing = [one for one in FILES if one not in paths]
    if missing:
        raise NotStarted(
            Finding("look for the files of the contract", f"a file `{missing[0]}`", "no such file")
        )
    if not any(one.startswith("chart/templates/") and one.endswith((".yaml", ".yml")) for one in paths):
        raise NotStarted(
            Finding("look for templates in chart/templates", "a Deployment, and more", "no template yet")
        )


def run(work: Work, plan: list[Obj], seconds: float = 150, *, rendered: bool = False) -> list[Obj]:
    """Run a plan of `helm_inside.py`, one answer for each step until it was over; `seconds` of this machine at most.

    Raises: CouldNotCheck, it took too long with a chart that was `rendered` before: each command of Helm has a limit of
    its own, so it is the machine that is slow.
    """
    program, _ = [work.give(path.name, path) for path in PROGRAM]
    steps = work.give("plan.json", json.dumps(plan))
    finished = work.run("python3", program, steps, ANSWERS, timeout=seconds, warm=True)
    if finished.killed == "time" and rendered:
        raise CouldNotCheck(
            f"the releases were not through after {seconds:g} seconds. Try again when this machine is less busy"
        )
    if finished.status != 0 or finished.killed:
        Evidence("have Helm render the chart").fail(
            wanted="an answer within its limits of time and memory",
            got=finished.killed or f"Helm ended with status {finished.status}",
            hint="A template that never ends, or makes megabytes, cannot be released.",
        )
    answers: list[Obj] = json.loads(work.read(ANSWERS).bytes)
    return answers


def objects(answer: Obj, did: str) -> list[Obj]:
    """The objects of a render. Fails the check unless there are any, few and small enough to look at."""
    seen = Evidence(did)
    if "error" in answer:
        seen.fail(wanted="objects", got=first_line(answer), hint="`helm template` shows the same message.")
    found: list[Obj] = answer["objects"]
    small = len(json.dumps(found)) <= MOST_BYTES and len(found) <= MOST_OBJECTS
    seen.require(
        small, wanted=f"at most {MOST_OBJECTS} objects", got=f"{len(found)} objects, or very large ones"
    )
    for one in found:
        whole = isinstance(one.get("kind"), str) and isinstance(one.get("metadata"), dict)
        seen.require(whole, wanted="objects with kind and metadata", got="a document without")
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        count = len(of_kind(found, kind))
        seen.require(count == 1, wanted=f"one {kind}", got=str(count))
    return found


def first_line(answer: Obj) -> str:
    """What Helm said, in one line."""
    lines = [line.strip() for line in str(answer.get("error", "")).splitlines() if line.strip()]
    return " ".join(lines)[:300] or "no message"
