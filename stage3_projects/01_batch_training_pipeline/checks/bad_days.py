"""Days on which a gate must close, and the fourteen dates of a backfill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

import season as seasons
from labs.checks import Finished
from labs.world.offers import Offers
from landing import FIRST_DAY, Delivery, as_delivered, delivery
from nights import Nights, expect_each
from season import Season

GOOD, UNFIT, NO_AUC, MISSING = 0, 4, 5, 6  # the status that a date of the backfill must get
WHY = {
    GOOD: "This date and the days before it are good.",
    UNFIT: "This date lacks a column. It must not stop the others.",
    NO_AUC: "All labels of this date are equal, so it has no AUC. It must not stop the others.",
    MISSING: "Nothing was delivered for this date. It must not stop the others.",
}
Spoil = Callable[[pd.DataFrame], pd.DataFrame]
KINDS = [GOOD] * 3 + [UNFIT] * 2 + [NO_AUC] + [MISSING] * 8


@dataclass(frozen=True)
class BadDay:
    """One day with one thing wrong, and the words that the reason must have."""

    what: str
    words: tuple[str, ...]
    delivery: Delivery

    @property
    def day(self) -> date:
        return self.delivery.day

    def must_be_named(self, finished: Finished, reason: str) -> None:
        """Fail unless the reason says what closed the data gate."""
        finished.require(
            reason.startswith("data gate: ") and all(word in reason for word in self.words),
            wanted=f'a reason that begins with "data gate: " and names {" and ".join(self.words)}',
            got=f"{reason.split(':')[0]}: …",
            hint=f"The day has {self.what}.",
            measured=reason,
        )


def closing_the_data_gate(season: Season, rng: np.random.Generator) -> list[BadDay]:
    """Six days in a row from the one after the date under test, with one broken rule each, in a drawn order."""
    usual = season.usual
    column, empty = str(rng.choice(list(seasons.LIMITS))), str(rng.choice(seasons.NULLABLE))
    gone = str(rng.choice(["discount_percent", "merchant_category", "redeemed"]))
    many = Offers(season.offers.seed, FIRST_DAY, 5 * seasons.PER_DAY)
    found = []
    for number, which in enumerate(rng.permutation(6)):
        day = season.next_day + timedelta(days=number)
        good = seasons.fewer(season.frame(day), min(len(season.frame(day)), usual), rng)
        if which == 5:
            good = seasons.fewer(as_delivered(many.impressions(day)), round(usual * 2.2), rng)
        what, words, frame = [
            (
                f"nulls in {empty}, half of them NaN, and its other rows twice",
                ("nulls", empty),
                seasons.half_of_them_nan(seasons.with_nulls(good, empty, 0.035, rng), empty),
            ),
            (f"one {column} out of range", ("range", column), seasons.out_of_range(good, column, rng)),
            (
                "one row shown at the next midnight in India",
                ("range", "shown_at"),
                seasons.of_another_day(good, True, rng),
            ),
            ("less than half of the usual rows", ("rows",), seasons.fewer(good, round(usual * 0.42), rng)),
            (f"no column {gone}", ("column", gone), good.drop(columns=gone)),
            ("more than twice the usual rows", ("rows",), good),
        ][which]
        landed = delivery(day, frame)
        if which == 0:
            landed.add(frame[~np.isnan(frame[empty].to_numpy(float, na_value=np.nan))])
        found.append(BadDay(what, words, landed))
    return found


def within_the_limits(
    season: Season, rng: np.random.Generator
) -> tuple[Delivery, list[date], dict[date, str], list[Delivery]]:
    """A date, its fit training days, its unfit ones with what each has, and what is delivered for all of them.

    The fit days hold every limit exactly, and 1/16 of nulls; the date has a quarter of their rows. Of the unfit ones
    each has one row that breaks one rule, another rule on each day.
    """
    number = str(rng.choice(["payer_txn_count_30d", "payer_offers_shown_7d", "min_amount_paise"]))
    text = str(rng.choice(["min_amount_paise", "hour_ist", "distance_km"]))
    spoil: dict[str, Spoil] = {
        f"one {name} out of range": partial(seasons.out_of_range, column=name, draw=rng)
        for name in seasons.LIMITS
    }
    for name in ("impression_id", "payer_id", "merchant_id"):
        spoil[f"one {name} below 0"] = partial(seasons.with_one, column=name, value=-1, draw=rng)
    for name in (number, "merchant_category"):
        spoil[f"one null in {name}"] = partial(seasons.with_one, column=name, value=None, draw=rng)
    spoil["one merchant_category that is none of the eight"] = partial(
        seasons.with_one, column="merchant_category", value="grocery_store", draw=rng
    )
    spoil["one row shown before midnight in India"] = partial(seasons.of_another_day, late=False, draw=rng)
    spoil[f"text in the column {text}"] = lambda frame: frame.assign(**{text: frame[text].astype(str)})
    keep: list[Spoil] = [
        partial(seasons.at_the_limits, side=0, draw=rng),
        partial(seasons.at_the_limits, side=1, draw=rng),
        lambda frame: seasons.with_nulls(frame, str(rng.choice(seasons.NULLABLE)), 1 / 16, rng),
    ]
    day = season.next_day + timedelta(days=30)  # no other day of this season is near
    places = rng.permutation(len(spoil) + len(keep))
    fit, unfit, landed = [], {}, []
    for place, (what, change) in zip(
        places, [*spoil.items(), *(("", change) for change in keep)], strict=True
    ):
        before = day - timedelta(days=1 + int(place))
        frame = change(seasons.fewer(season.frame(before), 32 if what else 256, rng))
        landed.append(delivery(before, frame, parts=1))
        if what:
            unfit[before] = what
        else:
            fit.append(before)
    today = delivery(day, seasons.fewer(season.frame(day), 64, rng), parts=1)
    return today, sorted(fit), dict(sorted(unfit.items())), landed


def all_end_with(status: int, nights: Nights, days: list[BadDay]) -> tuple[Finished, list[dict[str, Any]]]:
    """Fail unless a backfill of these days says this status of each of them. Returns what it said."""
    nights.land(*(bad.delivery for bad in days))
    finished = nights.backfill(bad.day for bad in days)
    hints = {bad.day: f"The day has {bad.what}." for bad in days}
    return finished, expect_each(finished, dict.fromkeys(hints, status), hints)


def half_written(season: Season, rng: np.random.Generator) -> tuple[list[Delivery], dict[date, str], date]:
    """Three days with one part each that is not what the manifest says (and hints); then a date that is whole.

    Of one part a bit is turned; one is not there; one has fewer rows: it can be read, and is not the one promised.
    """
    *days, whole = (season.next_day + timedelta(days=number) for number in range(4))
    turned, gone, short = (days[place] for place in rng.permutation(3))
    found = {day: delivery(day, season.frame(day)) for day in (*days, whole)}
    name, missing, less = (f"part-{number:05d}.parquet" for number in rng.integers(3, size=3))
    content = bytearray(found[turned].parts[name])
    content[int(rng.integers(100, len(content) // 3))] ^= 0x10
    found[turned].parts[name] = bytes(content)
    del found[gone].parts[missing]
    (found[short].parts[less],) = delivery(short, season.frame(short).iloc[:50], parts=1).parts.values()
    why = "Compare the sha256 of what lies there with the manifest's."
    hints = {
        turned: f"A byte of one part differs. {why}",
        gone: f"One part is not there. {why}",
        short: f"One part has fewer rows than it should. {why}",
    }
    return list(found.values()), dict(sorted(hints.items())), whole


def fourteen_dates(season: Season, rng: np.random.Generator) -> tuple[dict[date, int], list[Delivery]]:
    """The status that each of 14 dates must get, and what is delivered: also two good days before them."""
    first = season.next_day + timedelta(days=20)  # no other day of this season is near
    before = [first - timedelta(days=back) for back in (2, 1)]
    wanted = {
        first + timedelta(days=number): int(status) for number, status in enumerate(rng.permutation(KINDS))
    }
    landed = []
    for day in (*before, *(day for day, status in wanted.items() if status != MISSING)):
        frame = seasons.fewer(season.frame(day), 200, rng)
        if wanted.get(day) == UNFIT:
            frame = frame.drop(columns="payer_txn_count_30d")
        elif wanted.get(day) == NO_AUC:
            frame = frame.assign(redeemed=np.int8(0))
        landed.append(delivery(day, frame, parts=1))
    return wanted, landed
