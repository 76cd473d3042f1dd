"""The gradebook: one row for each learner and lab, and one for each check. CSV for people, Parquet for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.cohort.late import IN_TIME, Lateness
from labs.results import LabResult, State
from labs.workspace import write_whole

FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
)  # what a spreadsheet would run: https://owasp.org/www-community/attacks/CSV_Injection


@dataclass(frozen=True)
class Mark:
    """One learner's one lab. `result` is None where nothing was handed in, or it could not be read (`error`).

    With a `result`, `error` says why it is an earlier one. `left_out`: handed in before `--since`, and never graded.
    `flaky` names checks that came out differently when they were repeated; `person` holds marks that a person gave, by
    criterion. `notes` say what was left out of the submission, and why. `system` and `number`: what the learning system
    that the work came from calls the learner.
    """

    learner: str
    name: str
    lab: str
    possible: int
    result: LabResult | None
    error: str = ""
    graded_at: str = ""
    late: Lateness = IN_TIME
    flaky: tuple[str, ...] = ()
    person: Mapping[str, float] = field(default_factory=dict)
    left_out: bool = False
    notes: tuple[str, ...] = ()
    system: str = ""
    number: str = ""

    @property
    def earned(self) -> int:
        return self.result.earned if self.result else 0

    @property
    def after_lateness(self) -> float:
        return self.late.of(self.earned)

    @property
    def state(self) -> str:
        if self.result:
            return str(self.result.state)
        if self.left_out:
            return "not graded"
        return "unreadable" if self.error else "not handed in"

    @property
    def trouble(self) -> str:
        """Why it could not be read, is an earlier one, or which check broke, in the instructor's terms."""
        broken = (
            [check for check in self.result.checks if check.state is State.OUR_FAULT] if self.result else []
        )
        if self.error or not broken:
            return self.error
        why = broken[0].because or "no reason was given"
        lines = [line for line in broken[0].traceback.splitlines() if line.strip()]
        errors = [
            line[1:] for line in lines if line.startswith("E ")
        ] or lines  # what pytest marks, if it speaks
        last = errors[-1].strip() if errors else ""
        return f"`{broken[0].name}` broke: {why}" + (f" ({last})" if last and last not in why else "")

    @property
    def isolation(self) -> str:
        """The rung on which it ran; nothing where nothing of the learner's ran."""
        ran = self.result and self.result.isolation.layers
        return self.result.isolation.rung if self.result and ran else ""


def by_lab(marks: Iterable[Mark]) -> list[dict[str, Any]]:
    """Rows of `labs`: what a learner earned in each lab, and why it might need a look."""
    rows = []
    for mark in marks:
        row: dict[str, Any] = {
            "learner": mark.learner,
            "name": mark.name,
            "lab": mark.lab,
            "earned": None if mark.left_out else mark.earned,
            "possible": mark.possible,
            "state": mark.state,
            "late_days": mark.late.days,
            "late_percent": mark.late.percent,
            "after_lateness": None if mark.left_out else mark.after_lateness,
            "could_not_check": _count(mark, State.COULD_NOT_CHECK),
            "our_fault": _count(mark, State.OUR_FAULT),
            "flaky": " ".join(mark.flaky),
            "isolation": mark.isolation,
            "tier": mark.result.tier if mark.result else "",
            "graded_at": mark.graded_at,
            "error": mark.trouble,
            "notes": " ".join(mark.notes),
        }
        rows.append(row | {f"person_{criterion}": points for criterion, points in mark.person.items()})
    return rows


def by_check(marks: Iterable[Mark]) -> list[dict[str, Any]]:
    """Rows of `checks`."""
    return [
        {
            "learner": mark.learner,
            "lab": mark.lab,
            "check": check.name,
            "title": check.title,
            "earned": check.earned,
            "possible": check.points,
            "state": str(check.state),
            "wanted": check.finding.wanted if check.finding else "",
            "got": check.finding.got if check.finding else check.because,
            "seconds": check.seconds,
        }
        for mark in marks
        if mark.result
        for check in mark.result.checks
    ]


def totals(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """Rows of `gradebook`: one for each learner, a column for each lab, sums of what was graded at the end."""
    labs = list(dict.fromkeys(mark.lab for mark in marks))
    rows: dict[str, dict[str, Any]] = {}
    for mark in marks:
        row = rows.setdefault(mark.learner, {"learner": mark.learner, "name": mark.name})
        sums = (0.0, 0) if mark.left_out else (mark.after_lateness, mark.possible)
        row[mark.lab] = None if mark.left_out else mark.after_lateness
        row["total"] = round(row.get("total", 0) + sums[0], 2)
        row["possible"] = row.get("possible", 0) + sums[1]
        for criterion, points in mark.person.items():
            row[f"{mark.lab}_person_{criterion}"] = points
    for row in rows.values():
        row["total"] = row["total"] if row["possible"] else None
    ordered = ("learner", "name", *labs, "total", "possible")
    return [
        {key: row[key] for key in (*ordered, *sorted(set(row) - set(ordered))) if key in row}
        for row in rows.values()
    ]


def write(folder: Path, marks: Sequence[Mark]) -> list[Path]:
    """Write the three tables, each as CSV and Parquet; their paths."""
    written = []
    for name, rows in (("gradebook", totals(marks)), ("labs", by_lab(marks)), ("checks", by_check(marks))):
        written += [write_csv(folder / f"{name}.csv", rows), write_parquet(folder / f"{name}.parquet", rows)]
    return written


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """UTF-8 with the mark that spreadsheets look for; what they would run as a formula becomes text."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: harmless(value) for key, value in row.items()})
    write_whole(path, "\ufeff" + text.getvalue())
    return path


def harmless(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = pa.table({key: [row.get(key) for row in rows] for key in columns})
    made = io.BytesIO()
    pq.write_table(table, made)
    half = path.with_name(f".{path.name}.tmp")
    half.touch(mode=0o600)
    half.write_bytes(made.getvalue())
    half.replace(path)
    return path


def read_csv(lines: list[str]) -> csv.DictReader[str]:
    """A table whose first line is its heading; a spreadsheet may have saved it with semicolons."""
    heading = lines[0] if lines else ""
    return csv.DictReader(lines, delimiter=";" if heading.count(";") > heading.count(",") else ",")


def _count(mark: Mark, state: State) -> int:
    return sum(check.state is state for check in mark.result.checks) if mark.result else 0
