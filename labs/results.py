"""What a grading produces. The only thing passed between the parts of the engine; versioned JSON at rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from labs.errors import LabsError

SCHEMA_VERSION = 1
RUNGS = ("open", "separate user", "locked", "sealed")  # of isolation, from none to the best


class State(StrEnum):
    """What became of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_STARTED = "not started"
    COULD_NOT_CHECK = "could not check"
    OUR_FAULT = "our fault"


@dataclass(frozen=True)
class Finding:
    """What a learner did, what was wanted, what came, and what to do about it.

    `measured` holds figures that differ from run to run (milliseconds, megabytes): people see them,
    comparisons of feedback leave them out.
    """

    did: str
    wanted: str
    got: str
    next: str = ""
    measured: str = ""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check. `because` says why it could not be checked; `traceback` is ours, not the learner's.

    `lacks` names the real thing (a Docker engine, say) without which the check cannot run, if that is the reason.
    `hidden`: one of an instructor's own checks, of which learners see nothing but the points.
    """

    name: str
    title: str
    points: int
    state: State
    finding: Finding | None = None
    because: str = ""
    traceback: str = ""
    output: str = ""
    seconds: float = 0.0
    lacks: str = ""
    hidden: bool = False

    @property
    def earned(self) -> int:
        return self.points if self.state is State.PASSED else 0


@dataclass(frozen=True)
class Isolation:
    """How the learner's code was held. `layers` maps each layer to "held" or to the reason it did not hold."""

    rung: str = "open"
    layers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LabResult:
    """One lab graded over one folder. `only`: the check that alone was asked for; then `checks` are not all."""

    lab: str
    seed: int
    checks: tuple[CheckResult, ...]
    tier: str = "embedded"
    isolation: Isolation = field(default_factory=Isolation)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    engine: str = ""
    hidden_seed: bool = False
    only: str = ""

    @property
    def earned(self) -> int:
        return sum(check.earned for check in self.checks)

    @property
    def possible(self) -> int:
        return sum(check.points for check in self.checks)

    @property
    def state(self) -> State:
        """The lab in one word: our fault > failed > could not check > not started > passed."""
        states = {check.state for check in self.checks}
        if not states or State.OUR_FAULT in states:
            return State.OUR_FAULT
        started = State.FAILED in states or State.PASSED in states
        if State.NOT_STARTED in states and not started:
            return State.NOT_STARTED
        if State.FAILED in states or State.NOT_STARTED in states:
            return State.FAILED
        return State.COULD_NOT_CHECK if State.COULD_NOT_CHECK in states else State.PASSED

    @property
    def lacking(self) -> tuple[str, ...]:
        """The real things that this machine would need for the checks that could not run."""
        return tuple(dict.fromkeys(check.lacks for check in self.checks if check.lacks))

    @property
    def passed_here(self) -> bool:
        """Everything passed that can be checked without the real things in `lacking`."""
        states = {check.state for check in self.checks if not check.lacks}
        return states == {State.PASSED}

    def to_json(self) -> str:
        body: dict[str, Any] = {"schema": SCHEMA_VERSION, **asdict(self)}
        body["earned"], body["possible"], body["state"] = self.earned, self.possible, self.state
        if self.hidden_seed:
            body["seed"] = None
        return json.dumps(body, indent=2, ensure_ascii=False)

    @staticmethod
    def from_json(text: str, source: str = "result") -> LabResult:
        """Read back what `to_json` wrote.

        Raises:
            LabsError: not JSON, another schema version, or a field missing.
        """
        try:
            body = json.loads(text)
            if body["schema"] != SCHEMA_VERSION:
                raise LabsError(
                    f"{source}: result schema {body['schema']}, this engine reads {SCHEMA_VERSION}",
                    "Check the lab again with this engine.",
                )
            return LabResult(
                lab=body["lab"],
                seed=body["seed"] or 0,
                hidden_seed=body["hidden_seed"],
                checks=tuple(check_from_dict(check) for check in body["checks"]),
                tier=body["tier"],
                isolation=Isolation(body["isolation"]["rung"], dict(body["isolation"]["layers"])),
                notes=tuple(body["notes"]),
                seconds=float(body["seconds"]),
                engine=body["engine"],
                only=body.get("only", ""),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LabsError(
                f"{source}: not a result of this engine ({error!r})", "Check the lab again."
            ) from error


def check_from_dict(body: Mapping[str, Any]) -> CheckResult:
    finding = Finding(**body["finding"]) if body.get("finding") else None
    return CheckResult(**{**body, "state": State(body["state"]), "finding": finding})
