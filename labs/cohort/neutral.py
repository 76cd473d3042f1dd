"""What learners may see of a result: of an instructor's hidden checks the points, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from labs.results import CheckResult, LabResult, State

TITLE = "a check that is not public"
ANNOUNCED = "Some checks of this course are not public. They ask for nothing that the brief does not state."


def neutral(result: LabResult) -> LabResult:
    """The result without names, titles, findings and output of hidden checks, and without our tracebacks."""
    checks = [_neutral(check, number) for number, check in enumerate(result.checks, 1)]
    return replace(result, checks=tuple(checks))


def _neutral(check: CheckResult, number: int) -> CheckResult:
    if not check.hidden:
        return replace(check, traceback="")  # it may quote the instructor's files
    because = "" if check.state in (State.PASSED, State.FAILED) else str(check.state)
    return replace(
        check, name=f"not_public_{number}", title=TITLE, finding=None, because=because, output="",
        traceback="", lacks="",
    )  # fmt: skip
