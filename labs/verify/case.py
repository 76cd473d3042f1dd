"""What the gates look at: one lab, and every grading of it that a gate needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from labs.catalog import Catalog, Lab
from labs.machine import EMBEDDED, LOCAL
from labs.results import CheckResult, LabResult, State

SOLUTION = "solution"
STARTER = "starter"
EXPECTED = {EMBEDDED: "expected.txt", LOCAL: "expected.local.txt"}
BREAKAGE = ("an empty folder", "files that are not text", "another lab's files")


class Grades(Protocol):
    """The part of the grader that verification uses; tests pass their own."""

    def grade(
        self, lab: Lab, folder: Path, seed: int | None = None, *, only: Sequence[str] = ()
    ) -> LabResult: ...


@dataclass(frozen=True)
class Offender:
    """One thing that keeps a lab from verifying."""

    where: str
    wrong: str
    mend: str


@dataclass(frozen=True)
class Key:
    """Which grading: a folder below the lab (`mistakes/forgets_the_lock`) or a breakage, and how often."""

    variant: str
    seed: int
    again: bool = False


@dataclass(frozen=True)
class Grading:
    """The outcome of one grading: a result, or the sentence that says why there is none."""

    result: LabResult | None
    error: str = ""
    seconds: float = 0.0


class NotGraded(Exception):
    """A gate asked for a grading that did not come about."""

    def __init__(self, offender: Offender) -> None:
        super().__init__(offender.wrong)
        self.offender = offender


@dataclass(frozen=True)
class Case:
    """One lab under verification.

    `second_look`: the lab verified at the embedded tier, to the letter. Here right answers have to pass again, on the
    public seed, and mistakes to fail only where they show what the embedded tier cannot. Nothing is timed.

    `named`: of a mistake only those checks ran that its expected.txt names as not passed. The others count as they came
    out for the solution.
    """

    catalog: Catalog
    lab: Lab
    gradings: Mapping[Key, Grading]
    tier: str = EMBEDDED
    second_look: bool = False
    named: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        return seeds(self.lab, self.second_look)

    def result(self, variant: str, seed: int | None = None, again: bool = False) -> LabResult:
        """The result of one grading; the public seed unless told.

        Raises:
            NotGraded: there is none; carries the offender.
        """
        grading = self.gradings.get(Key(variant, seed or self.lab.seed, again))
        if grading is None or grading.result is None:
            why = grading.error if grading else "was not graded, because its folder is not there"
            raise NotGraded(
                Offender(
                    variant, f"it could not be graded: {why}" if grading else f"it {why}", "Mend that first."
                )
            )
        if self.named and variant.startswith("mistakes/"):
            ran = {check.name: check for check in grading.result.checks}
            checks = (ran.get(check.name, check) for check in self.result(SOLUTION).checks)
            return replace(grading.result, checks=tuple(checks))
        return grading.result

    def was_repeated(self, mistake: str) -> bool:
        return Key(mistake, self.lab.seed, again=True) in self.gradings

    @property
    def mistakes(self) -> tuple[str, ...]:
        """Those that this tier can show to be wrong; at a second look, those that it alone can show fully."""
        folders = (one for one in self.lab.mistakes if shows(one, self.tier, self.second_look))
        return tuple(f"mistakes/{folder.name}" for folder in folders)

    @property
    def alternatives(self) -> tuple[str, ...]:
        return tuple(f"alternatives/{folder.name}" for folder in self.lab.alternatives)


def shows(mistake: Path, tier: str, second_look: bool = False) -> bool:
    """Whether a check fails this mistake at this tier: with `expected.local.txt` alone, only a real thing's does."""
    if second_look:
        return (mistake / EXPECTED[LOCAL]).exists() or not (mistake / EXPECTED[EMBEDDED]).exists()
    return (
        tier == LOCAL or (mistake / EXPECTED[EMBEDDED]).exists() or not (mistake / EXPECTED[LOCAL]).exists()
    )


def other_seed(lab: Lab) -> int:
    """The second seed: the same on every machine and every run, so that a failure can be repeated."""
    return lab.seed + 1


def seeds(lab: Lab, second_look: bool = False) -> tuple[int, ...]:
    """Those on which right answers have to pass."""
    return (lab.seed,) if second_look else (lab.seed, other_seed(lab))


def our_faults(where: str, result: LabResult) -> list[Offender]:
    """One offender per check that broke instead of judging."""
    if not result.checks:
        return [Offender(where, "the grader reported no check at all", "Give checks/ at least one @check.")]
    return [
        Offender(
            where,
            f"the check `{check.name}` broke (our fault): {last_line(check)}",
            "Have the check state the fault with .require or .fail; the whole traceback: labs check --json.",
        )
        for check in result.checks
        if check.state is State.OUR_FAULT
    ]


def last_line(check: CheckResult) -> str:
    lines = (check.traceback or check.because or "no traceback").strip().splitlines()
    return lines[-1].strip() if lines else "no traceback"


def shown(result: LabResult) -> str:
    """How far a folder got, in a few words."""
    return f"{result.earned} of {result.possible} points, reads “{result.state}”"
