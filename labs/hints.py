"""Reads a lab's hints.md: a `## check_name` heading for every check, each with a numbered list."""

from __future__ import annotations

import re
import textwrap

from labs.catalog import Lab
from labs.errors import LabsError

HEADING = re.compile(r"##\s+`?(\w+)`?\s*")
ITEM = re.compile(r"(\d+)[.)]\s+(.*)")
FENCE = re.compile(r"\s*(```|~~~)")


def read_hints(lab: Lab) -> dict[str, tuple[str, ...]]:
    """Hints by check, in the order of the file, from nudge to near-answer.

    Raises:
        LabsError: there is no hints.md.
    """
    path = lab.folder / "hints.md"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        step = "Is this checkout whole? `git status` shows what is missing."
        raise LabsError(f"{path}: {error.strerror}.", step) from None
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] | None = None
    in_fence = False
    for line in text.splitlines():
        if FENCE.match(line):
            in_fence = not in_fence
        elif not in_fence and (heading := HEADING.fullmatch(line)):
            current = sections.setdefault(heading[1], [])
            continue
        elif not in_fence and current is not None and (item := ITEM.fullmatch(line)):
            current.append([item[2]])
            continue
        if current:
            current[-1].append(line)
    return {name: tuple(_joined(item) for item in items) for name, items in sections.items()}


def _joined(lines: list[str]) -> str:
    rest = textwrap.dedent("\n".join(lines[1:])).strip("\n")
    return f"{lines[0]}\n{rest}".strip()
