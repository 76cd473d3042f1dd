"""What happens to a run at an exact moment: kills in every step, and a reader who looks after each of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from labs.checks import Finished, Work
from nights import Nights
from prefect_records import Records
from published import ATOMIC, Published, must_read, same
from season import Season
from told import tried

Accident = tuple[str, str]  # AT and DO of launcher.py
HALF = "Something half-written was taken for whole. Give a file its name when it is finished."


def in_every_step(effects: list[str], rng: np.random.Generator) -> list[Accident]:
    """Kills at drawn places, given what a run without accidents does to the lake."""
    publishing = sum("published" in line for line in effects)
    pointer = sum("manifest" in line for line in effects)
    early, late = rng.integers(1, max(2, len(effects) - publishing)), rng.integers(2, max(3, publishing))
    return [
        ("start", f"half:{rng.integers(3000, 6000)}"),  # in the first file that is larger than this
        (f":{early}", "SIGKILL"),
        ("published:1", f"half:{rng.integers(500, 1500)}"),  # in a part of the table
        (f"published:{late}", "SIGKILL"),
        ("manifest:1", f"half:{rng.integers(300, 900)}"),
        (f"manifest:{pointer}", "SIGKILL"),  # just before it is replaced, if it is
    ]


def killed(
    work: Work, nights: Nights, season: Season, accident: Accident, old: Published, new: Published
) -> None:
    """One run with an accident. Fails the check unless a reader sees `old` or `new` afterwards, whole."""
    at, do = accident
    finished = nights.run(season.day, AT=at, DO=do)
    nights.free_the_lease()
    finished.require(
        finished.status in (-9, -25, 0),
        wanted="a run that copes with what a killed run left",
        got=f"exit status {finished.status}",
        hint=HALF,
        measured=finished.stderr[-300:],
    )
    found = must_read(work)
    finished.require(
        same(found, old) or same(found, new),
        wanted="after a SIGKILL at any write: the whole old table or the whole new one",
        got="a mixture",
        hint=ATOMIC,
    )


def late_by(attempts: int, nights: Nights, records: Records, season: Season) -> Finished:
    """A run whose upstream puts its manifest in place after so many attempts of `ingest`."""
    late = season.first_delivery()
    late.land(nights.work.give, manifest=False)
    waiting = nights.start(season.day)
    records.wait_for(waiting, season.day, lambda run: tried(run) >= attempts or not waiting.alive)
    late.land_manifest(nights.work.give)
    return nights.end(waiting)


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
