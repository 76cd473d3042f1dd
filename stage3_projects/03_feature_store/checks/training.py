"""One training set over every trouble, asked in each way of writing a time; judged one trouble at a time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from driving import Driver, Seen
from histories import adversarial
from labs.checks import Work

PART = 60  # rows


@dataclass
class Trained:
    """The kinds of trouble, row by row, and what came back for each way of writing the times."""

    kinds: list[str]
    seen: dict[str, Seen]
    part: Seen  # of a frame with gaps in its index,
    part_is_same: bool  # and whether the caller's frame was left alone

    def expect(self, kind: str, hint: str, times: str = "naive") -> None:
        self.seen[times].expect(hint=hint, chosen=lambda number: self.kinds[number] == kind)


def train_everything(work: Work, rng: np.random.Generator) -> Trained:
    history = adversarial(rng)
    drive = Driver(work, frames=itertools.cycle(("naive",)))  # other rows come in every way of writing times
    drive.apply()
    half = len(history.rows) // 2
    for rows in (history.rows[:half], history.rows[half:]):
        drive.ingest(rows)
    drive.restart()
    asked = [one for _, one in history.asked]
    seen = {times: drive.train(asked, times=times) for times in ("naive", "UTC", "datetimes")}
    part = [replace(one, case="a row of a frame with gaps in its index") for one in asked[:PART]]
    return Trained([kind for kind, _ in history.asked], seen, *drive.train_on_a_part(part, seen["naive"]))
