"""The roadmap as a board: every stage and lab, where the learner stands, and what to do next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from labs.catalog import Lab, Stage
from labs.desk import Desk
from labs.errors import LabsError
from labs.machine import real_words

SCHEMA_VERSION = 1
MARKS = {
    "passed": ("✓", "green"),
    "started": ("◐", "yellow"),
    "not started": ("○", ""),
    "coming": (" ", "dim"),
}
SLUG, TITLE = 26, 44  # columns
WIDE = 112


@dataclass(frozen=True)
class Standing:
    """Where a learner stands in one lab. `state` is "not started", "started" or "passed".

    `lacking` says in words what real things the rest of a passed lab's points would need.
    """

    lab: Lab
    state: str
    earned: int | None = None
    since: float = 0.0
    lacking: str = ""

    @property
    def words(self) -> str:
        if self.state == "passed" and self.lacking:
            return f"passed, {self.earned} of {self.lab.points} points: the rest needs {self.lacking}"
        if self.state == "started" and self.earned is not None:
            return f"{self.earned} of {self.lab.points} points"
        return self.state


def standings(desk: Desk) -> dict[str, Standing]:
    """By slug, in roadmap order."""
    return {lab.slug: _standing(desk, lab) for lab in desk.catalog.labs}


def what_next(standings: dict[str, Standing]) -> tuple[str, str]:
    """The command to run next, and why: go on with what was begun last, else begin what is ready."""
    open_labs = [standing for standing in standings.values() if standing.state == "started"]
    if open_labs:
        last = max(open_labs, key=lambda standing: standing.since)
        words = f"you have {last.words}" if last.earned is not None else "you have begun it"
        return f"labs check {last.lab.slug}", words
    waiting = [standing.lab for standing in standings.values() if standing.state == "not started"]
    for lab in waiting:
        before = [standings[slug] for slug in lab.after if slug in standings]
        if all(standing.state == "passed" for standing in before):
            return f"labs start {lab.slug}", f"{lab.title}, about {lab.minutes} minutes"
    if waiting:
        return f"labs start {waiting[0].slug}", waiting[0].title
    return "", "You have passed every lab that is written." if standings else "No lab is written yet."


def show(desk: Desk) -> None:
    from rich.text import Text

    reached = standings(desk)
    command, why = what_next(reached)
    wide = not desk.out.is_terminal or desk.out.width >= WIDE
    for stage in desk.catalog.stages:
        mine = [reached[lab.slug] for lab in stage.labs]
        desk.out.print(Text(_stage_line(stage, mine), style="bold"), soft_wrap=True)
        for one in mine:
            mark, style = MARKS[one.state]
            cells = (f"{one.lab.minutes} min", f"{one.lab.points} points", one.words)
            desk.out.print(Text(_row(mark, one.lab.slug, one.lab.title, cells, wide), style), soft_wrap=True)
        for slug, title in stage.coming:
            desk.out.print(Text(_row(" ", slug, title, ("", "", "coming"), wide), "dim"), soft_wrap=True)
        desk.out.print()
    if command:
        desk.out.print(Text.assemble("Next: ", (command, "bold cyan")), soft_wrap=True)
    desk.out.print(f"      {why}" if command else why, soft_wrap=True)


def _stage_line(stage: Stage, mine: list[Standing]) -> str:
    points = sum(standing.lab.points for standing in mine)
    earned = sum(standing.earned or 0 for standing in mine)
    score = f" · {earned} of {points} points" if points else ""
    return f"Stage {stage.number} · {stage.title} · months {stage.months}{score}"


def _row(mark: str, slug: str, title: str, cells: tuple[str, str, str], wide: bool) -> str:
    """One lab; the title only where there is room for it."""
    shown = f"{title[: TITLE - 1]}…" if len(title) > TITLE else title
    name = f"{slug:<{SLUG}}  {shown:<{TITLE}}" if wide else f"{slug:<{SLUG}}"
    return f"  {mark} {name}  {cells[0]:>7}  {cells[1]:>9}  {cells[2]}"


def as_json(desk: Desk) -> str:
    reached = standings(desk)
    command, why = what_next(reached)
    body: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "stages": [
            {
                "name": stage.name,
                "number": stage.number,
                "title": stage.title,
                "months": stage.months,
                "labs": [_entry(reached[lab.slug]) for lab in stage.labs],
                "coming": [{"slug": slug, "title": title} for slug, title in stage.coming],
            }
            for stage in desk.catalog.stages
        ],
        "next": {"command": command, "why": why},
    }
    return json.dumps(body, indent=2, ensure_ascii=False)


def _entry(standing: Standing) -> dict[str, Any]:
    lab = standing.lab
    return {
        "slug": lab.slug,
        "title": lab.title,
        "minutes": lab.minutes,
        "points": lab.points,
        "after": list(lab.after),
        "state": standing.state,
        "earned": standing.earned,
    }


def _standing(desk: Desk, lab: Lab) -> Standing:
    try:
        started = desk.workspace.started(lab.slug)
    except LabsError as error:  # the board shows the other labs all the same
        desk.store.warnings.append(error.message)
        started = False
    if not started:
        return Standing(lab, "not started")
    progress = desk.store.read(lab.slug)
    result = progress.result
    if result is None:
        return Standing(lab, "started", since=progress.started)
    state = "passed" if result.passed_here else "started"
    return Standing(lab, state, result.earned, progress.started, real_words(result.lacking))
