"""Runs the learner's gate on plans, and compares what it says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labs.checks import Finished
from labs.grading.evidence import NotStarted
from labs.results import Finding
from plans import Case, Drawn

SECONDS = 30


@dataclass(frozen=True)
class Asked:
    """One run of the gate: a plan, and the words behind its path."""

    plan: Any
    title: str
    words: tuple[str, ...] = ()
    status: int = 0
    refused: frozenset[str] = frozenset()


class Gate:
    """`plan_gate.py`, in this check's sandbox."""

    def __init__(self, work, drawn: Drawn) -> None:
        self.work, self.drawn, self.number = work, drawn, 0

    def run(self, asked: Sequence[Asked]) -> list[Finished]:
        """Run the gate on all of these, one after the other, and say how each has ended."""
        if "plan_gate.py" not in self.work.files():
            raise NotStarted(Finding("look for plan_gate.py", "the file plan_gate.py", "there is none"))
        runs = []
        for each in asked:
            self.number += 1
            text = each.plan if isinstance(each.plan, (str, bytes)) else json.dumps(each.plan)
            path = self.work.give(f"plan-{self.number}.json", text)
            more = (
                each.words
                if "--digest" in each.words
                else ("--environment", self.drawn.environment, *each.words)
            )
            runs.append([path, *more])
        told = {"program": "plan_gate.py", "seconds": SECONDS, "runs": runs}
        runner = self.work.give("many_runs.py", (Path(__file__).parent / "many_runs.py").read_bytes())
        listed = self.work.give(f"asked-{self.number}.json", json.dumps(told))
        answers = f"_answers-{self.number}.json"
        whole = self.work.run("python3", runner, listed, answers, timeout=SECONDS * 5)
        document = self.work.read(answers)
        if whole.killed or not document.exists:
            whole.fail(
                wanted="an answer for each of some plans",
                got=f"the gate ended everything: {whole.killed or whole.status}",
            )
        said = document.json()
        return [
            Finished(
                " ".join([f"run the gate on this plan: {each.title}", *_shown(each.words)]),
                output=(out + err)[-4000:],
                status=status,
                stdout=out,
                stderr=err,
            )
            for each, (status, out, err) in zip(asked, said, strict=True)
        ]

    def judge(self, cases: Iterable[Case], hint: str) -> None:
        """Run the gate on these plans, and fail at the first about which it does not say what it must."""
        asked = [Asked(case.plan, case.title, case.words, case.status, case.refused) for case in cases]
        for one, done in zip(asked, self.run(asked), strict=True):
            compare(one, done, hint)


def _shown(words: Sequence[str]) -> list[str]:
    """What of the command belongs to the title: no paths of this grading."""
    return ["(with", f"{' '.join(words)})"] if "--max-changes" in words else []


def compare(asked: Asked, done: Finished, hint: str) -> None:
    """Fail unless it ended as it must, and names what it must."""
    if done.status == 75:
        raise NotStarted(Finding(done.did, f"status {asked.status}", "status 75: not started"))
    words = {0: "status 0: it passes", 1: "status 1: refused", 2: "status 2: it cannot be judged"}
    crashed = "Traceback (most recent call last)" in done.stderr
    got = f"status {done.status}" + (", by an exception" if crashed else "")
    done.require(done.status == asked.status and not crashed, wanted=words[asked.status], got=got, hint=hint)
    if asked.status == 1:
        named = {each["address"] for each in report(done)["refused"]}
        missing, wrong = asked.refused - named, named - asked.refused
        all_of_them = ", ".join(sorted(asked.refused))
        done.require(
            not missing,
            wanted=f"{all_of_them} among the refused",
            got=", ".join(sorted(named)) or "nothing",
            hint=hint,
        )
        done.require(
            not wrong,
            wanted=f"nothing refused but {all_of_them}",
            got=f"{', '.join(sorted(wrong))} as well",
            hint=hint,
        )


def report(done: Finished) -> dict[str, Any]:
    """The report, if it is one."""
    try:
        found = json.loads(done.stdout)
        fine = isinstance(found["refused"], list) and all(
            isinstance(each["address"], str) and isinstance(each["why"], str) and each["why"]
            for each in found["refused"]
        )
    except (ValueError, KeyError, TypeError):
        fine = False
    if not fine:
        done.fail(
            wanted='a report as JSON: {"refused": [{"address": …, "why": …}, …], …}',
            got=done.stdout.strip()[:80] or "nothing",
            hint="On standard output, and nothing else there.",
        )
    return found


def of(work, rng: np.random.Generator) -> Gate:
    return Gate(work, Drawn(rng))
