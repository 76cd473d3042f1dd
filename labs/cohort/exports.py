"""The gradebook in the forms that other programs read.

Gradescope: `results.json` of one submission (Gradescope Autograder Documentation, "Autograder Specifications").
GitHub Classroom: the result of `autograding` in its workflow, one JSON for each learner (classroom-resources,
"autograding-grading-reporter": {version, status, tests: [{name, status, score, …}]}).
A learning system: CSV with one row for each learner.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labs.cohort.gradebook import Mark, write_csv
from labs.cohort.neutral import neutral
from labs.results import CheckResult, State
from labs.workspace import write_whole


def gradescope(mark: Mark) -> dict[str, Any]:
    """What Gradescope reads as results.json. Hidden checks show their points and nothing else."""
    result = neutral(mark.result) if mark.result else None
    if result is None:
        return {"score": 0, "output": mark.error or "Nothing was handed in for this lab.", "tests": []}
    return {
        "score": mark.after_lateness,
        "execution_time": round(result.seconds),
        "output": "\n".join(result.notes),
        "output_format": "text",
        "visibility": "visible",
        "tests": [
            {
                "name": check.title,
                "number": str(number),
                "score": check.earned,
                "max_score": check.points,
                "status": "passed" if check.state is State.PASSED else "failed",
                "output": _said(check),
                "visibility": "visible",
            }
            for number, check in enumerate(result.checks, 1)
        ],
    }


def classroom(checks: Sequence[CheckResult], possible: float) -> dict[str, Any]:
    """What GitHub Classroom's reporter reads."""
    words = {State.PASSED: "pass", State.OUR_FAULT: "error"}
    tests = [
        {
            "name": check.title,
            "status": words.get(check.state, "fail"),
            "message": _said(check),
            "test_code": check.name,
            "score": check.earned,
            "max_score": check.points,
            "execution_time": f"{check.seconds:.2f}s",
        }
        for check in checks
    ]
    good = bool(tests) and all(test["status"] == "pass" for test in tests)
    return {"version": 1, "status": "pass" if good else "fail", "max_score": possible, "tests": tests}


def write(folder: Path, marks: Sequence[Mark]) -> list[Path]:
    """gradescope/LEARNER/LAB/results.json, classroom/LEARNER/LAB.json, lms/LAB.csv; their paths."""
    written = []
    for mark in marks:
        written.append(
            _json(folder / "gradescope" / mark.learner / mark.lab / "results.json", gradescope(mark))
        )
        checks = neutral(mark.result).checks if mark.result else ()
        place = folder / "classroom" / mark.learner / f"{mark.lab}.json"
        written.append(_json(place, classroom(checks, mark.possible)))
    for lab in dict.fromkeys(mark.lab for mark in marks):
        place = folder / "lms" / f"{lab}.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "Identifier": mark.learner,
                "Full name": mark.name,
                "Grade": mark.after_lateness,
                "Maximum Grade": mark.possible,
            }
            for mark in marks
            if mark.lab == lab
        ]
        written.append(write_csv(place, rows))
    return written


def _said(check: CheckResult) -> str:
    if check.finding is None:
        return check.because
    lines = [f"did: {check.finding.did}", f"wanted: {check.finding.wanted}", f"got: {check.finding.got}"]
    return "\n".join(lines + ([f"next: {check.finding.next}"] if check.finding.next else []))


def _json(path: Path, body: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    return path
