"""expected.txt: the exact feedback on a mistake; `⟨any⟩` stands for text within a line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from labs.catalog import Lab
from labs.machine import EMBEDDED, LOCAL
from labs.render import MARK, clean
from labs.results import LabResult, State
from labs.verify.case import EXPECTED, Case, NotGraded
from labs.workspace import write_whole

ANY = "⟨any⟩"
CHECK = re.compile(r"(?P<mark>\S) (?P<title>\S.*?) {2,}\d+ points?")
Plain = Callable[[LabResult], str]


def plain(result: LabResult) -> str:
    """The feedback as a learner reads it, without colour."""
    from labs.render import plain as feedback

    return feedback(result)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def line_matches(expected: str, got: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.rstrip().split(ANY))
    return re.fullmatch(pattern, got.rstrip()) is not None


def first_difference(expected: str, got: str) -> tuple[int, str, str] | None:
    """The first line where the two differ, as (number from 1, expected, got); None if they agree."""
    left, right = lines(expected), lines(got)
    for number in range(max(len(left), len(right))):
        wanted = left[number] if number < len(left) else None
        came = right[number] if number < len(right) else None
        if wanted is None or came is None or not line_matches(wanted, came):
            return number + 1, _or_nothing(wanted), _or_nothing(came)
    return None


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def not_passed(text: str) -> list[str]:
    """The titles of the checks that this feedback shows as anything but passed."""
    marks = {mark for state, mark in MARK.items() if state is not State.PASSED}
    found = (CHECK.fullmatch(line) for line in text.splitlines())
    return [match["title"] for match in found if match and match["mark"] in marks]


def write(case: Case, feedback: Plain) -> list[str]:
    """Write expected.txt where the feedback differs from it; returns the diffs.

    A mistake in which no check fails, or in which a check broke, is left as it is: its gate names it. At the local tier
    only an expected.local.txt that is there (it may be empty) is written.
    """
    diffs = []
    for name in case.mistakes:
        try:
            result = case.result(name)
        except NotGraded:
            continue
        states = {check.state for check in result.checks}
        if State.FAILED not in states or State.OUR_FAULT in states:
            continue
        path = case.lab.folder / name / EXPECTED[case.tier]
        if case.tier == LOCAL and not path.is_file():
            continue
        diff = _write_one(path, feedback(result))
        if diff:
            diffs.append(diff)
    return diffs


def fails(lab: Lab, title: str) -> bool:
    """Whether the expected.txt of a mistake shows that this check fails it. They are proven at the embedded tier."""
    for mistake in lab.mistakes:
        text = text_of(mistake / EXPECTED[EMBEDDED])
        if any(line.startswith(f"{MARK[State.FAILED]} {clean(title)}  ") for line in text.splitlines()):
            return True
    return False


def _write_one(path: Path, feedback: str) -> str:
    old = text_of(path)
    if path.is_file() and first_difference(old, feedback) is None:
        return ""
    new = "\n".join(_keep_wildcards(lines(old), lines(feedback))) + "\n"
    write_whole(path, new)
    name = str(Path(*path.parts[-3:]))
    diff = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} (was)", f"{name} (now)", lineterm=""
    )
    return "\n".join(diff)


def _keep_wildcards(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The new lines, with an old line in place of a new one where its ⟨any⟩ still covers it."""
    patterns = [line for line in old if ANY in line]
    return [next((p for p in patterns if line_matches(p, line)), line) for line in new]


def _or_nothing(line: str | None) -> str:
    return "(nothing)" if line is None else line or "(an empty line)"
