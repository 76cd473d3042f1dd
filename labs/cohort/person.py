"""Marks that a person gives by a rubric. They stand in columns of their own, and are never mixed with the checks'.

A rubric is a Markdown table whose first column names a criterion and whose last its points:

    | criterion | what is wanted | points |
    |---|---|---:|
    | names | a stranger understands them | 4 |

`marks-by-a-person.csv` in the output folder has a row for each learner and lab, to be filled in; it is read at the next
`labs grade`, and never overwritten: rows that are new are added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labs.cohort.gradebook import Mark, read_csv, write_csv
from labs.errors import LabsError

FILE = "marks-by-a-person.csv"
ROW = re.compile(r"^\s*\|(.+)\|\s*$")
NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Criterion:
    """One row of a rubric. `name`: lower case, with underscores."""

    name: str
    points: float


def read_rubric(path: Path) -> tuple[Criterion, ...]:
    """The criteria of a rubric.

    Raises:
        LabsError: the file cannot be read, or has no table of criteria with points.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabsError(
            f"{path}: cannot be read ({error}).", "Name a Markdown file with --rubric."
        ) from error
    found: list[Criterion] = []
    for number, line in enumerate(lines, 1):
        match = ROW.match(line)
        cells = [cell.strip() for cell in match[1].split("|")] if match else []
        if len(cells) < 2 or not set(cells[0]) - set("-: "):
            continue
        try:
            points = float(cells[-1])
        except ValueError:
            if found:
                raise LabsError(
                    f"{path}, line {number}: {cells[-1]!r} is no number of points.",
                    "Write the points as a number in the last column.",
                ) from None
            continue  # the heading
        found.append(Criterion(NAME.sub("_", cells[0].lower()).strip("_") or f"row_{number}", points))
    names = [criterion.name for criterion in found]
    if not found or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), "")
        raise LabsError(
            f"{path}: "
            + (f"two criteria are called `{twice}`." if twice else "no table of criteria was found."),
            "Write a table: | criterion | what is wanted | points |",
        )
    return tuple(found)


def read_marks(path: Path, criteria: Iterable[Criterion]) -> dict[tuple[str, str], dict[str, float]]:
    """What a person has filled in, by (learner, lab). Empty cells are no marks yet.

    Raises:
        LabsError: a cell is no number, or more than the criterion's points.
    """
    most = {criterion.name: criterion.points for criterion in criteria}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for number, row in enumerate(_rows(path), 2):
        marks = {}
        for name, points in most.items():
            text = (row.get(name) or "").strip().replace(",", ".")
            if not text:
                continue
            try:
                marks[name] = float(text)
            except ValueError:
                marks[name] = -1.0
            if not 0 <= marks[name] <= points:
                raise LabsError(
                    f"{path}, line {number}: {text!r} for `{name}`.", f"Write a number from 0 to {points:g}."
                )
        found[row["learner"], row["lab"]] = marks
    return found


def unused(path: Path, criteria: Iterable[Criterion]) -> list[str]:
    """Columns in which somebody has filled in marks, and which are no criterion: of an older rubric, perhaps."""
    known = {"learner", "name", "lab", *(criterion.name for criterion in criteria)}
    filled = (key for row in _rows(path) for key, value in row.items() if value.strip())
    return [key for key in dict.fromkeys(filled) if key not in known]


def _rows(path: Path) -> list[dict[str, str]]:
    """The form as it was filled in; a spreadsheet may have saved it with semicolons.

    Raises:
        LabsError: it cannot be read as a table of learners and labs. Nothing is written over it then.
    """
    if not path.is_file():
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise LabsError(f"{path}: not UTF-8 ({error}).", "Save it as CSV UTF-8, then grade again.") from error
    table = read_csv(lines)
    if not {"learner", "lab"} <= set(table.fieldnames or ()):
        raise LabsError(
            f"{path}: no columns `learner` and `lab`.",
            "Keep the first line as it was, or move the file away.",
        )
    # A name that a spreadsheet could run was written with an apostrophe before it.
    return [{key: (value or "").removeprefix("'") for key, value in row.items() if key} for row in table]


def write_form(path: Path, marks: Iterable[Mark], criteria: tuple[Criterion, ...]) -> Path:
    """The form with everything that was filled in, and a row for each learner and lab that had none."""
    rows: dict[tuple[str, str], Mapping[str, str]] = {}
    for row in _rows(path):
        rows[row["learner"], row["lab"]] = row
    empty = {criterion.name: "" for criterion in criteria}
    for mark in marks:
        about = {"learner": mark.learner, "name": mark.name, "lab": mark.lab}
        rows[mark.learner, mark.lab] = {**about, **empty, **rows.get((mark.learner, mark.lab), {})}
    return write_csv(path, list(rows.values()))
