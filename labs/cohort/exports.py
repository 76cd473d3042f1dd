"""The gradebook in the forms that other programs read.

Gradescope: `results.json` of one submission (Gradescope Autograder Documentation, "Autograder Specifications").
GitHub Classroom: the result of `autograding` in its workflow, one JSON for each learner (classroom-resources,
"autograding-grading-reporter": {version, status, tests: [{name, status, score, …}]}).
Moodle: the offline grading worksheet of an assignment (mod/assign/feedback/offline/importgradeslib.php): it needs the
columns `Identifier`, `Grade` and `Last modified (grade)`, and knows learners by `Participant NUMBER`.
Canvas: the gradebook's CSV (lib/gradebook_importer.rb): `Student`, `ID`, …, `Section`, then a column for each
assignment. Its importer reads a number in brackets after a title as the assignment's id, so the points stand nowhere.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labs.cohort.gradebook import Mark, harmless
from labs.cohort.neutral import neutral
from labs.results import CheckResult, State
from labs.workspace import write_whole


def gradescope(mark: Mark) -> dict[str, Any]:
    """What Gradescope reads as results.json. Hidden checks show their points and nothing else."""
    result = neutral(mark.result) if mark.result else None
    if result is None:
        output = [mark.error or "Nothing was handed in for this lab.", *mark.notes]
        return {"score": 0, "output": "\n".join(output), "tests": []}
    return {
        "score": mark.after_lateness,
        "execution_time": round(result.seconds),
        "output": "\n".join(mark.notes),
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
    """gradescope/LEARNER/LAB/results.json, classroom/LEARNER/LAB.json, moodle/LAB.csv, canvas/LAB.csv; their paths.

    Moodle's holds those whose work came from Moodle: it knows no others. Canvas's holds those whose work came from
    Canvas or from no learning system.
    """
    written = []
    for mark in marks:
        written.append(
            _json(folder / "gradescope" / mark.learner / mark.lab / "results.json", gradescope(mark))
        )
        checks = neutral(mark.result).checks if mark.result else ()
        place = folder / "classroom" / mark.learner / f"{mark.lab}.json"
        written.append(_json(place, classroom(checks, mark.possible)))
    for lab in dict.fromkeys(mark.lab for mark in marks):
        of_lab = [mark for mark in marks if mark.lab == lab]
        for system, rows in (("moodle", moodle(of_lab)), ("canvas", canvas(of_lab))):
            place = folder / system / f"{lab}.csv"
            if rows:
                written.append(_csv(place, rows))
            else:
                place.unlink(missing_ok=True)
    return written


def moodle(marks: Iterable[Mark]) -> list[dict[str, Any]]:
    """Rows of Moodle's worksheet. By the time of the grading Moodle sees which grades a person changed since."""
    return [
        {
            "Identifier": f"Participant {mark.number}",
            "Full name": mark.name,
            "Grade": _grade(mark),
            "Last modified (grade)": mark.graded_at,
        }
        for mark in marks
        if mark.system == "moodle"
    ]


def canvas(marks: Iterable[Mark]) -> list[dict[str, Any]]:
    """Rows of Canvas's gradebook. Without Canvas's own number a learner is found by login, then by name."""
    return [
        {
            "Student": mark.name or mark.learner,
            "ID": mark.number,
            "SIS User ID": "",
            "SIS Login ID": "" if mark.number else mark.learner,
            "Section": "",
            mark.lab: _grade(mark),
        }
        for mark in marks
        if mark.system in ("canvas", "")
    ]


def _grade(mark: Mark) -> float | str:
    """Points after lateness; 0 for nothing handed in; empty where nobody knows, so that no import takes a mark away."""
    return mark.after_lateness if mark.result or mark.state == "not handed in" else ""


def _said(check: CheckResult) -> str:
    if check.finding is None:
        return check.because
    lines = [f"did: {check.finding.did}", f"wanted: {check.finding.wanted}", f"got: {check.finding.got}"]
    return "\n".join(lines + ([f"next: {check.finding.next}"] if check.finding.next else []))


def _csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """UTF-8 without a mark at its start, which these programs would read as a part of the first column's name."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: harmless(value) for key, value in row.items()} for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.getvalue())
    return path


def _json(path: Path, body: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    return path
