"""Merchant offers that payers were shown, and which of them they redeemed: the data of the `offers` model.

A day is made in chunks of at most `CHUNK_ROWS` rows, each from a stream of its own, so a day of any size can be
had in little memory, and the whole day is nothing but its chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labs.world.calendar import CalendarDay, calendar_day
from labs.world.draws import (
    EXPONENTIAL_MEAN,
    LEVELS,
    Bits,
    Columns,
    Floats,
    Ints,
    choice_table,
    exponential_table,
    lognormal_table,
    normal_table,
    pair_bits,
    scatter,
    share,
    sixteen_bits,
    stream,
    uniforms,
)
from labs.world.frames import named
from labs.world.population import (
    CATEGORIES,
    FIRST_MERCHANT_ID,
    FIRST_PAYER_ID,
    MERCHANTS_PER_CATEGORY,
    PAYER_MEAN_LOG_RUPEES,
    PAYERS,
    population,
)
from labs.world.process import CATEGORY_LOG_PRICE, MIX_FESTIVAL, MIX_WEEKDAY, MIX_WEEKEND

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 1 << 18
MOST_PER_DAY = 1 << 26
MOST_DAYS = 36_500
DAY_US = 86_400_000_000

# Streams: (seed, day, one of these plus the number of the chunk); far from those of `draws.Purpose`.
ROWS, REDEEMED, VOLUME = 1 << 20, 1 << 21, 1 << 22
VOLUME_SIGMA = 0.02
# When offers are looked at, hour by hour in India.
HOURS = (1, 1, 1, 1, 1, 1, 3, 5, 8, 11, 10, 9, 12, 12, 9, 8, 9, 11, 14, 16, 15, 11, 7, 4)
DISCOUNTS = np.array([5, 10, 15, 20, 25, 30], dtype=np.int8)
DISCOUNT_SHARES = (0.24, 0.30, 0.20, 0.14, 0.08, 0.04)
NO_LOCATION_SHARE = 0.004  # the phone did not say where it is
MERCHANT_APPEAL_SIGMA, PAYER_THRIFT_SIGMA = 0.55, 0.45  # nothing in a row shows them

INTERCEPT = -2.3
CATEGORY_APPEAL = np.array([0.5, 0.6, 0.1, -0.4, 0.2, -0.9, -0.5, -1.4])
FOOD, SHOPPING, TRAVEL = CATEGORIES.index("food"), CATEGORIES.index("shopping"), CATEGORIES.index("travel")


@dataclass(frozen=True)
class Offers:
    """The offers of Nukkad Pay from `first_day` on, about `impressions_per_day` on an ordinary first day.

    Every method gives the same answer each time, computed from the seed and the day alone. Payers, merchants and
    categories are those of `World(seed, first_day)`. A day runs from midnight to midnight in India; times are UTC
    without a zone.
    """

    seed: int = 7
    first_day: date = date(2026, 1, 1)
    impressions_per_day: int = 20_000

    def __post_init__(self) -> None:
        if not 1 <= self.impressions_per_day <= MOST_PER_DAY:
            raise ValueError(
                f"impressions_per_day is {self.impressions_per_day!r}: give 1 to {MOST_PER_DAY:,}"
            )

    def calendar(self, day: int | date) -> CalendarDay:
        """What is special about the day, and how many impressions to expect."""
        return calendar_day(self.first_day, self._number(day), self.impressions_per_day)

    def rows(self, day: int | date) -> int:
        """How many impressions the day has."""
        today = self.calendar(day)
        (bits,) = sixteen_bits(stream(self.seed, today.day, VOLUME), 1, 1)
        scatter_of_volume = 1 + VOLUME_SIGMA * float(normal_table()[bits[0]])
        return min(max(round(today.expected_volume * scatter_of_volume), 1), MOST_PER_DAY)

    def impressions(self, day: int | date) -> pd.DataFrame:
        """The day's impressions in order of `shown_at`. Columns: see `docs/world.md`."""
        import pandas as pd

        return pd.concat(list(self.chunks(day)), ignore_index=True)

    def chunks(self, day: int | date) -> Iterator[pd.DataFrame]:
        """The same rows in frames of at most `CHUNK_ROWS`, one after the other: for a day larger than memory."""
        today = self.calendar(day)
        for chunk, first, count in _chunks(self.rows(day)):
            columns = _columns(self.seed, today, chunk, first, count, self.rows(day))
            yield _frame(self.seed, today, chunk, columns)

    def truth(self, day: int | date) -> pd.DataFrame:
        """For graders only: `impression_id`, `redeem_probability` (the process's own) and `redeemed`."""
        import pandas as pd

        today, found = self.calendar(day), []
        for chunk, first, count in _chunks(self.rows(day)):
            columns = _columns(self.seed, today, chunk, first, count, self.rows(day))
            probability = redeem_probability(self.seed, today, columns)
            data = {
                "impression_id": columns["impression_id"],
                "redeem_probability": probability,
                "redeemed": _redeemed(self.seed, today.day, chunk, probability),
            }
            found.append(pd.DataFrame(data, copy=False))
        return pd.concat(found, ignore_index=True)

    def _number(self, day: int | date) -> int:
        if isinstance(day, datetime):
            raise ValueError(f"day is {day!r}: give a number or a date, not a datetime")
        number = (day - self.first_day).days if isinstance(day, date) else int(day)
        if not 0 <= number < MOST_DAYS:
            raise ValueError(f"day is {day!r}: give 0 to {MOST_DAYS - 1}, or a date from {self.first_day} on")
        return number


def redeem_probability(seed: int, today: CalendarDay, columns: Columns) -> Floats:
    """The true probability that each offer is redeemed: a logistic model with interactions, with the kind of day,
    and with two things that no column shows (the merchant's appeal, the payer's thrift)."""
    category = columns["merchant_category"]
    discount = columns["discount_percent"] / 10.0
    reach = np.log(columns["min_amount_paise"] / columns["payer_mean_amount_30d_paise"])
    known = np.log1p(columns["payer_merchant_txn_count_90d"])
    distance = np.nan_to_num(columns["distance_km"], nan=3.0)
    evening = ((columns["hour_ist"] >= 17) & (columns["hour_ist"] <= 22)).astype(np.float64)
    logit = INTERCEPT + CATEGORY_APPEAL[category] + _day_appeal(today)[category]
    logit += discount * np.where(known > 0, 0.45, 0.75)
    logit += 1.0 * known - 1.3 * np.maximum(reach, -0.5)
    logit -= 0.5 * np.log1p(distance / 3.0)
    logit -= 0.35 * np.log1p(columns["payer_offers_shown_7d"])
    logit += 0.5 * evening * (category == FOOD)
    normal = normal_table()
    logit += MERCHANT_APPEAL_SIGMA * normal[pair_bits(columns["merchant_id"], seed * 2 + 1)]
    logit += PAYER_THRIFT_SIGMA * normal[pair_bits(columns["payer_id"], seed * 2 + 2)]
    return np.asarray(1 / (1 + np.exp(-logit)))


def _day_appeal(today: CalendarDay) -> Floats:
    """What the kind of day adds to the log-odds, by category."""
    appeal = np.zeros(len(CATEGORIES))
    if today.is_weekend:
        appeal[[FOOD, SHOPPING]] += 0.3
    if today.is_salary_day:
        appeal += 0.25
        appeal[[SHOPPING, TRAVEL]] += 0.25
    if today.festival is not None:
        appeal[SHOPPING] += 0.6
        appeal += 0.1
    return appeal


def _chunks(rows: int) -> Iterator[tuple[int, int, int]]:
    """(number, first row, rows) of each chunk."""
    for chunk, first in enumerate(range(0, rows, CHUNK_ROWS)):
        yield chunk, first, min(CHUNK_ROWS, rows - first)


def _columns(seed: int, today: CalendarDay, chunk: int, first: int, count: int, rows: int) -> Columns:
    """What was known when the offers of one chunk were shown; codes stand for the category."""
    people, normal = population(seed), normal_table()
    bits = sixteen_bits(stream(seed, today.day, ROWS + chunk), 13, count)
    micros, hour = _times(bits[0], first, rows)
    slot: Ints = (bits[1].astype(np.int64) * bits[2]) >> 15
    category = choice_table(_mix(today))[bits[3]]
    merchant: Ints = (bits[4].astype(np.int64) * bits[5]) >> 22
    merchant += category.astype(np.int64) * MERCHANTS_PER_CATEGORY
    account_age, generation = people.account_age(slot, today.day)
    price = PAYER_MEAN_LOG_RUPEES + CATEGORY_LOG_PRICE[category] + people.merchant_log_price[merchant]
    asked = np.exp(price + 0.5 * normal[bits[6]]) * today.amount_level  # rupees
    distance = np.minimum(lognormal_table(3.0, 1.2)[bits[7]], 3_000.0)
    return {
        "impression_id": scatter(
            np.arange(first, first + count, dtype=np.int64) + (today.day << 28), seed + 1
        ),
        "shown_at": micros + int(np.datetime64(today.start, "us").astype(np.int64)),
        "payer_id": FIRST_PAYER_ID + generation * PAYERS + slot,
        "merchant_id": FIRST_MERCHANT_ID + merchant,
        "merchant_category": category,
        "hour_ist": hour,
        "discount_percent": DISCOUNTS[choice_table(DISCOUNT_SHARES)[bits[8]]],
        "min_amount_paise": np.clip(asked // 10 * 1_000, 1_000, 10_000_000).astype(np.int64),
        "payer_mean_amount_30d_paise": people.nightly_mean_paise(slot, today.day, seed),
        "payer_txn_count_30d": (people.daily_count[slot] * lognormal_table(30.0, 0.2)[bits[9]]).astype(
            np.int32
        ),
        "payer_account_age_days": account_age.astype(np.float64),
        "payer_merchant_txn_count_90d": lognormal_table(0.6, 1.4)[bits[10]].astype(np.int32),
        "payer_offers_shown_7d": lognormal_table(5.0, 0.7)[bits[11]].astype(np.int32),
        "distance_km": np.where(share(bits[12], NO_LOCATION_SHARE), np.nan, distance),
    }


def _redeemed(seed: int, day: int, chunk: int, probability: Floats) -> npt.NDArray[np.int8]:
    drawn = uniforms(stream(seed, day, REDEEMED + 2 * chunk), probability.size)
    return np.asarray(drawn < probability).astype(np.int8)


def _frame(seed: int, today: CalendarDay, chunk: int, columns: Columns) -> pd.DataFrame:
    """One chunk as a frame, with what became of each offer: all of it is known when the day has ended."""
    import pandas as pd

    redeemed = _redeemed(seed, today.day, chunk, redeem_probability(seed, today, columns))
    delay, spent = sixteen_bits(stream(seed, today.day, REDEEMED + 2 * chunk + 1), 2, redeemed.size)
    end = int(np.datetime64(today.end, "us").astype(np.int64)) - 1
    waited = (lognormal_table(25.0, 1.0)[delay] * 60_000_000).astype(np.int64)
    when = np.minimum(columns["shown_at"] + waited, end).view("datetime64[us]").copy()
    when[redeemed == 0] = np.datetime64("NaT")
    paid = columns["min_amount_paise"] * lognormal_table(1.25, 0.2)[spent]
    cashback = (np.maximum(paid, columns["min_amount_paise"]) * columns["discount_percent"] / 100).astype(
        np.int64
    )
    data: dict[str, object] = dict(columns)
    data["shown_at"] = columns["shown_at"].view("datetime64[us]")
    data["merchant_category"] = named(columns["merchant_category"], CATEGORIES)
    data["redeemed"] = redeemed
    data["redeemed_at"] = when
    data["cashback_paise"] = np.where(redeemed == 1, cashback, 0)
    return pd.DataFrame(data, copy=False)


def _mix(today: CalendarDay) -> tuple[float, ...]:
    if today.festival is not None:
        return MIX_FESTIVAL
    return MIX_WEEKEND if today.is_weekend else MIX_WEEKDAY


def _times(bits: Bits, first: int, rows: int) -> tuple[Ints, npt.NDArray[np.int8]]:
    """Sorted microseconds since midnight in India, and the hour: this chunk's part of the day's line.

    Sums of exponential gaps are uniform order statistics; each hour takes its share of the line. Whole numbers
    only, hence the same on every NumPy.
    """
    position = np.cumsum(exponential_table()[bits])
    total = int(position[-1]) + EXPONENTIAL_MEAN
    edges, hours = _hours()
    # Where in the day's 2**40 parts: the chunk's first row, and then its own share, filled by its gaps.
    begin, end = (first << 40) // rows, ((first + bits.size) << 40) // rows
    scaled = begin + (position // (total // LEVELS + 1)) * ((end - begin) >> 16)
    scaled += np.arange(bits.size)  # keeps the order where two gaps fall into one part
    scaled = np.minimum(scaled, end - 1)
    hour = np.searchsorted(edges, scaled, side="right") - 1
    within = ((scaled - edges[hour]) * 3_600 // (hours[hour])) * 1_000_000
    rest = ((scaled - edges[hour]) * 3_600 % hours[hour]) * 1_000_000 // hours[hour]
    return hour * 3_600_000_000 + within + rest, hour.astype(np.int8)


@lru_cache(maxsize=1)
def _hours() -> tuple[Ints, Ints]:
    """Where each hour begins on the day's line of 2**40 parts, and how many parts it has."""
    total, edges = sum(HOURS), [0]
    for weight in HOURS:
        edges.append(edges[-1] + weight)
    line = np.array([(edge << 40) // total for edge in edges], dtype=np.int64)
    return line[:-1], np.diff(line)
