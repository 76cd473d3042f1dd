"""The ten gates. Each is one function: its docstring is the title, its result the offenders."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from labs.machine import EMBEDDED, LOCAL
from labs.results import CheckResult, LabResult, State
from labs.verify import expected
from labs.verify.anatomy import anatomy, hints
from labs.verify.brief import brief
from labs.verify.case import (
    BREAKAGE,
    EXPECTED,
    SOLUTION,
    STARTER,
    Case,
    NotGraded,
    Offender,
    our_faults,
    shown,
)

Gate = Callable[[Case], list[Offender]]
P = ParamSpec("P")


def starter(case: Case) -> list[Offender]:
    """The starter runs, earns nothing and reads “not started”"""
    result = case.result(STARTER)
    offenders = our_faults("starter/", result)
    for check in result.checks:
        if check.state is State.PASSED:
            mend = "Make the starter hold no answer, or have the check demand more."
            offenders.append(Offender("starter/", f"it passes `{check.name}`", mend))
        elif check.state is State.FAILED:
            mend = "Raise NotImplementedError there, answer HTTP 501, or exit with status 75."
            offenders.append(Offender("starter/", f"it fails `{check.name}`: {_got(check)}", mend))
    if not offenders and result.state is not State.NOT_STARTED:
        mend = "See why its checks could not run."
        offenders.append(Offender("starter/", f"it reads “{result.state}”: {_reasons(result)}", mend))
    return offenders


def solution(case: Case) -> list[Offender]:
    """The solution passes on the public seed and on another"""
    return _earns_everything(case, SOLUTION, "Mend the solution, or the check that refuses it.")


def alternatives(case: Case) -> list[Offender]:
    """Every alternative earns everything on both seeds"""
    mend = "If the brief allows it, the check is at fault: let it judge behaviour only."
    if not case.alternatives:
        return [Offender("alternatives/", "there is none to grade", "Write one; see the first gate.")]
    return [offender for name in case.alternatives for offender in _earns_everything(case, name, mend)]


def mistakes(case: Case) -> list[Offender]:
    """Every mistake fails with exactly its expected.txt"""
    if not case.mistakes and not case.second_look:
        return [Offender("mistakes/", "there is none to grade", "Write them; see the first gate.")]
    return [offender for name in case.mistakes for offender in _collected(_mistake, case, name)]


def every_check_is_failed(case: Case) -> list[Offender]:
    """Every check is failed by at least one mistake"""
    failed: set[str] = set()
    for name in case.mistakes:
        try:
            failed |= {check.name for check in case.result(name).checks if check.state is State.FAILED}
        except NotGraded:
            continue  # the gate of the mistakes says so
    if case.second_look:
        failed |= {
            check.name for check in case.result(SOLUTION).checks if expected.fails(case.lab, check.title)
        }
    return [
        Offender(
            f"checks/{case.lab.checks.name}",
            f"no mistake fails `{check.name}`",
            "Add the mistake that it is there to catch, or delete the check.",
        )
        for check in case.result(SOLUTION).checks
        if check.name not in failed and not (check.lacks and case.tier == EMBEDDED)
    ]


def time_budget(case: Case) -> list[Offender]:
    """The time budget is kept"""
    budget = case.lab.check_seconds
    return [
        Offender(
            f"checks/{case.lab.checks.name}",
            f"`{check.name}` took {check.seconds:.1f} s of the {budget:g} s that a check may take",
            "Make the check do less, or set check_seconds in lab.toml and say why.",
        )
        for check in case.result(SOLUTION).checks
        if check.seconds > budget and not case.second_look
    ]


def breakage(case: Case) -> list[Offender]:
    """The usual breakage never reads “our fault” and earns nothing"""
    return [offender for name in BREAKAGE for offender in _collected(_broken, case, name)]


GATES: tuple[Gate, ...] = (
    anatomy,
    starter,
    solution,
    alternatives,
    mistakes,
    every_check_is_failed,
    hints,
    brief,
    time_budget,
    breakage,
)


def title(gate: Gate) -> str:
    return (gate.__doc__ or gate.__name__).splitlines()[0]


def open_gate(gate: Gate, case: Case) -> list[Offender]:
    """The offenders of one gate; a grading that is missing is an offender as well."""
    return _collected(gate, case)


def _collected(find: Callable[P, list[Offender]], *args: P.args, **kwargs: P.kwargs) -> list[Offender]:
    try:
        return find(*args, **kwargs)
    except NotGraded as missing:
        return [missing.offender]


def _earns_everything(case: Case, name: str, mend: str) -> list[Offender]:
    return [
        offender
        for seed in case.seeds
        for offender in _collected(_short_of_everything, case, name, seed, mend)
    ]


def _short_of_everything(case: Case, name: str, seed: int, mend: str) -> list[Offender]:
    result = case.result(name, seed)
    where = f"{name} (seed {seed})"
    offenders = our_faults(where, result)
    for check in result.checks:
        if check.state in (State.FAILED, State.NOT_STARTED):
            offenders.append(Offender(where, f"`{check.name}` reads “{check.state}”: {_got(check)}", mend))
        elif check.lacks and (case.tier == EMBEDDED or case.second_look):
            continue  # proven at the local tier, where the real thing is; the report says so
        elif check.state is State.COULD_NOT_CHECK and not offenders:
            step = "Verify on a machine that has it."
            offenders.append(Offender(where, f"`{check.name}` could not be checked: {check.because}", step))
    return offenders


def _mistake(case: Case, name: str) -> list[Offender]:
    result = case.result(name)
    offenders = our_faults(name, result)
    if offenders:
        return offenders
    if not any(check.state is State.FAILED for check in result.checks):
        mend = "Add the check that catches it: a grader which lets it pass is wrong."
        return [Offender(name, f"no check fails it ({shown(result)})", mend)]
    path = case.lab.folder / name / EXPECTED[case.tier]
    if case.tier == LOCAL and not path.is_file():
        return []  # proven to the letter at the embedded tier; here it still fails
    write = f"Read the feedback as a learner; if it is right: labs verify {case.lab.slug} --write"
    if not path.is_file():
        return [Offender(f"{name}/{path.name}", "it is not there", write)]
    wanted = path.read_text(encoding="utf-8", errors="replace")
    offenders = [*_differs(f"{name}/{path.name}", wanted, expected.plain(result), write)]
    if not offenders and case.was_repeated(name):
        mend = "Draw it from `rng`, move it to measured=, or write ⟨any⟩ in its place."
        again = expected.plain(case.result(name, again=True))
        offenders = [*_differs(f"{name} (graded once more)", wanted, again, mend)]
    return offenders


def _differs(where: str, wanted: str, got: str, mend: str) -> list[Offender]:
    difference = expected.first_difference(wanted, got)
    if difference is None:
        return []
    number, left, right = difference
    return [Offender(where, f"line {number}: {left.strip()}\nthe feedback says: {right.strip()}", mend)]


def _broken(case: Case, name: str) -> list[Offender]:
    result = case.result(name)
    offenders = our_faults(name, result)
    for check in result.checks:
        if check.earned:
            mend = "Have the check demand something that the learner must have built, or give it an `after=`."
            offenders.append(Offender(name, f"it earns {check.earned} points from `{check.name}`", mend))
    return offenders


def _got(check: CheckResult) -> str:
    return check.finding.got if check.finding else check.because or "no reason given"


def _reasons(result: LabResult) -> str:
    return "; ".join(sorted({c.because for c in result.checks if c.because})) or "no reason given"
