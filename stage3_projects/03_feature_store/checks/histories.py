"""Histories that a careless join gets wrong, one kind of trouble per group of payers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from drawing import Draw
from slow_store import DAY, HOUR, MAX_AGE, MEAN, MINUTE, NIGHTLY, SECOND, STREAM, VIEWS, Asked, Row

PAYERS = 8  # of each kind and view


@dataclass
class History:
    """Rows in the order in which they reached the store, and what is asked of them, by kind of trouble."""

    rows: list[Row] = field(default_factory=list)
    asked: list[tuple[str, Asked]] = field(default_factory=list)


Trouble = Iterator[Row | Asked]


def past(draw: Draw, view: str, payer: int) -> Trouble:
    now = draw.some_time() + 9 * HOUR
    for ago in (20 * MINUTE, 50 * MINUTE, 7 * HOUR, 30 * HOUR):
        yield draw.row(view, payer, now - ago - draw.seconds(0, 4 * MINUTE))
    for later in (SECOND, MINUTE, 2 * HOUR, 10 * HOUR):
        yield draw.row(view, payer, now + later)
    yield draw.row(view, payer, now + 3 * HOUR, now + 3 * HOUR)
    yield Asked(payer, now, draw.amount(), "a payment with newer rows later the same day")
    yield Asked(payer, now + 3 * HOUR, draw.amount(), "a payment in the very second of a row")
    yield Asked(payer, now + 3 * HOUR - 1, draw.amount(), "a payment one microsecond before a row")


def late(draw: Draw, view: str, payer: int) -> Trouble:
    now = draw.some_time()
    arrived = now + draw.seconds(SECOND, 6 * HOUR)
    yield draw.row(view, payer, now - 40 * MINUTE)
    yield draw.row(view, payer, now - 10 * MINUTE, arrived)
    yield Asked(payer, now, draw.amount(), "a payment before a late row was created")
    if arrived - (now - 10 * MINUTE) < MAX_AGE[view]:
        yield Asked(
            payer, arrived - 1, draw.amount(), "a payment one microsecond before a late row was created"
        )
        yield Asked(payer, arrived, draw.amount(), "a payment at the moment when a late row was created")


def ties(draw: Draw, view: str, payer: int) -> Trouble:
    event = draw.some_time()
    created = [event + draw.seconds(30 * SECOND, 2 * MINUTE) + step * 3 * MINUTE for step in range(3)]
    future = event + 40 * MINUTE
    yield from draw.shuffled([draw.row(view, payer, event, one) for one in (*created, future)])
    yield Asked(payer, event + 30 * MINUTE, draw.amount(), "a payment after several rows of the same second")
    yield Asked(payer, future + SECOND, draw.amount(), "a payment after the last correction of a row")


def limits(draw: Draw, view: str, payer: int) -> Trouble:
    event = draw.some_time()
    yield draw.row(view, payer, event)
    yield draw.row(view, payer, event - draw.seconds(SECOND, 30 * MINUTE))
    for extra, case in (
        (0, "exactly at the view's greatest age"),
        (1, "one microsecond past the greatest age"),
        (-1, "one microsecond before the greatest age"),
        (draw.seconds(SECOND, 9 * DAY), "long past the greatest age"),
    ):
        yield Asked(payer, event + MAX_AGE[view] + extra, draw.amount(), f"a payment {case} of {view}")


def deleted(draw: Draw, view: str, payer: int) -> Trouble:
    now = draw.some_time()
    known = now - 10 * MINUTE + 45 * SECOND  # when the deletion became known
    yield draw.row(view, payer, now - 30 * MINUTE)
    yield draw.row(view, payer, now - 10 * MINUTE, known, deleted=True)
    yield draw.row(view, payer, now + 10 * MINUTE, now + 10 * MINUTE + SECOND)
    yield Asked(payer, now - 20 * MINUTE, draw.amount(), "a payment before the payer was deleted")
    yield Asked(payer, known - 1, draw.amount(), "a payment before the deletion was known")
    yield Asked(payer, now, draw.amount(), "a payment after the payer was deleted")
    yield Asked(payer, now + 20 * MINUTE, draw.amount(), "a payment after a deleted payer came back")


def ratio(draw: Draw, view: str, payer: int) -> Trouble:
    now = draw.some_time()
    for mean, case in ((None, "whose mean is null"), (0.0, "whose mean is 0"), (1.0, "whose mean is known")):
        row = draw.nightly(payer, now - 5 * HOUR)
        yield replace(row, values={**row.values, MEAN: row.values[MEAN] if mean else mean})
        yield draw.stream(payer, now - MINUTE)
        yield Asked(
            payer, now, int(draw.rng.integers(1, 100)), f"a payment of less than a rupee by a payer {case}"
        )
        yield Asked(payer, now, draw.amount(), f"a payment by a payer {case}")
        now += DAY


def rows(draw: Draw, view: str, payer: int) -> Trouble:
    now = draw.some_time() + draw.micros()
    twin = Asked(payer, now, draw.amount(), "a payment that is there twice")
    yield draw.row(view, payer, (now // SECOND) * SECOND - 30 * MINUTE)
    yield from (twin, twin)
    yield Asked(payer, now, twin.amount + 100, "a second payment in the same microsecond")
    yield Asked(draw.payer(), now, draw.amount(), "a payment by a payer whom nobody knows")
    yield Asked(payer, now - 20 * DAY, draw.amount(), f"a payment 20 days before the only row of {view}")
    yield Asked(payer, now + 20 * DAY, draw.amount(), f"a payment long after the last row of {view}")


def zones(draw: Draw, view: str, payer: int) -> Trouble:
    now = draw.some_time() + draw.micros()
    for hours in range(-8, 9):
        yield draw.row(view, payer, (now // SECOND) * SECOND + hours * HOUR - 20 * MINUTE)
    yield Asked(payer, now, draw.amount(), "a payment among hourly rows")


TROUBLES: dict[str, Callable[[Draw, str, int], Trouble]] = {
    "rows": rows,
    "past": past,
    "late": late,
    "ties": ties,
    "limits": limits,
    "deleted": deleted,
    "ratio": ratio,
    "zones": zones,
}


def adversarial(rng: np.random.Generator) -> History:
    """Every trouble, in both views, in no order; the other view of each payer is healthy."""
    draw, history = Draw(rng), History()
    for kind, trouble in TROUBLES.items():
        for view in VIEWS:
            for _ in range(PAYERS):
                _add(history, draw, kind, view, list(trouble(draw, view, draw.payer())))
    history.rows = draw.shuffled(history.rows)
    history.asked = draw.shuffled(history.asked)
    return history


def _add(history: History, draw: Draw, kind: str, view: str, made: list[Row | Asked]) -> None:
    asked = [one for one in made if isinstance(one, Asked)]
    history.rows += [one for one in made if isinstance(one, Row)]
    history.asked += [(kind, one) for one in asked]
    if kind != "ratio":
        other = STREAM if view == NIGHTLY else NIGHTLY
        payer, first = asked[0].payer, min(one.time for one in asked)
        history.rows.append(draw.row(other, payer, (first // SECOND) * SECOND - 40 * MINUTE))
