"""A report for each learner and lab: Markdown, HTML and versioned JSON. Hidden checks show their points alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from labs import render
from labs.cohort.gradebook import Mark
from labs.cohort.neutral import ANNOUNCED, neutral
from labs.results import State
from labs.workspace import write_whole

TEMPLATES = Path(__file__).parent / "templates"
# Whoever reads a report cannot run what its author ran, and has no `labs solution`.
LAST = {
    State.PASSED: "Passed.",
    State.OUR_FAULT: "Something of ours broke. Your instructor is told; there is nothing for you to do.",
}


def write(folder: Path, marks: Sequence[Mark], hidden: bool) -> list[Path]:
    """LEARNER/LAB.md, LAB.html and LAB.json for each; their paths. `hidden`: whether there are checks to announce."""
    written = []
    for mark in marks:
        place = folder / mark.learner
        place.mkdir(parents=True, exist_ok=True)
        files = {".md": markdown(mark, hidden), ".html": page(mark, hidden)}
        if mark.result:
            files[".json"] = replace(neutral(mark.result), notes=mark.notes).to_json() + "\n"
        for ending, text in files.items():
            path = place / f"{mark.lab}{ending}"
            write_whole(path, text)
            written.append(path)
    return written


def markdown(mark: Mark, hidden: bool) -> str:
    lines = [f"# {mark.lab}: {mark.name or mark.learner}", "", _mark_words(mark), ""]
    if hidden:
        lines += [ANNOUNCED, ""]
    if mark.result:
        lines += [render.markdown(neutral(mark.result), LAST.get(mark.result.state, "")).rstrip(), ""]
    lines += [f"- note: {render.clean(note)}" for note in mark.notes]
    return "\n".join(lines).rstrip() + "\n"


def page(mark: Mark, hidden: bool) -> str:
    return render_page(
        "learner.html",
        mark=mark,
        words=_mark_words(mark),
        announced=ANNOUNCED if hidden else "",
        result=neutral(mark.result) if mark.result else None,
        signs=render.MARK,
        clean=render.clean,
    )


def render_page(template: str, **values: Any) -> str:
    """One of our templates as text; everything in `values` is escaped."""
    return str(_templates().get_template(template).render(**values))


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def _mark_words(mark: Mark) -> str:
    if mark.result is None:
        if mark.left_out:
            return "Not graded yet."
        return f"Could not be read: {mark.error}" if mark.error else "Nothing was handed in for this lab."
    words = f"{mark.earned} of {mark.result.possible} points"
    if mark.late.percent:
        words += f"; {mark.late.days} days late: {mark.after_lateness:g} points"
    if mark.error:
        words += f"; {mark.error.rstrip('.')}"
    given = ", ".join(f"{name.replace('_', ' ')} {points:g}" for name, points in mark.person.items())
    return f"{words}. By a person: {given}." if given else f"{words}."
