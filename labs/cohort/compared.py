"""What the last run's tables had and this run's have not: options left out, learners and labs that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labs.cohort import person
from labs.cohort.gradebook import Mark, read_csv
from labs.cohort.names import few
from labs.cohort.store import Store


def with_last_run(
    out: Path, marks: Sequence[Mark], criteria: Sequence[person.Criterion], store: Store
) -> list[str]:
    """In words, for the screen. To be asked before the new tables are written."""
    before = _rows(out / "labs.csv")
    said = []
    labs = {mark.lab for mark in marks}
    if others := sorted({lab for _, lab, *_ in store.all()} - labs):
        said.append(
            f"gradebook.csv holds the labs of this command alone; graded earlier, and not in it: {few(others)}"
        )
    if gone := sorted({row["learner"] for row in before} - {mark.learner for mark in marks}):
        said.append(f"{len(gone)} learners of the last run are not in this one: {few(gone)}")
    reduced = sum(_above_0(row.get("late_percent")) for row in before if row["lab"] in labs)
    if reduced and not any(mark.late.percent for mark in marks):
        said.append(
            f"The last run took points off {reduced} late marks, this one off none: was --due the same?"
        )
    if unused := person.unused(out / person.FILE, criteria):
        said.append(
            f"{person.FILE}: the columns {few(unused)} hold marks that are not in the gradebook: "
            "give the --rubric that has criteria of these names, or rename the columns"
        )
    return said


def _rows(path: Path) -> list[dict[str, str]]:
    """The last run's rows; none if they cannot be read, because somebody has changed the file."""
    try:
        rows = list(read_csv(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError):
        return []
    return [row for row in rows if row.get("learner") and row.get("lab")]


def _above_0(text: str | None) -> bool:
    try:
        return float((text or "0").replace(",", ".")) > 0
    except ValueError:
        return False
