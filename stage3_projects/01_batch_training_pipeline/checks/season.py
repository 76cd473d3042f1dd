"""The data of one grading: a stretch of days drawn from the seed, and what can be wrong with a delivery."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from labs.world.offers import Offers
from landing import AFTER_THE_EVENT, FIRST_DAY, Delivery, as_delivered, delivery, of_regulars

PER_DAY = 400
WINDOW = 5
NULLABLE = ("distance_km", "payer_mean_amount_30d_paise", "payer_account_age_days")
# The least and the most that each column may hold.
LIMITS = {
    "hour_ist": (0, 23), "discount_percent": (1, 100), "min_amount_paise": (100, 10_000_000),
    "payer_mean_amount_30d_paise": (1.0, 10_000_000.0), "payer_txn_count_30d": (0, 100_000),
    "payer_merchant_txn_count_90d": (0, 100_000), "payer_offers_shown_7d": (0, 100_000),
    "payer_account_age_days": (0.0, 36_500.0), "distance_km": (0.0, 3_000.0), "redeemed": (0, 1),
}  # fmt: skip


class Season:
    """`day` is the date under test. Its window holds one day that no model may learn from; `older` lies before it."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng([seed, 1])
        self.offers = Offers(seed, FIRST_DAY, PER_DAY)
        self.day = FIRST_DAY + timedelta(days=int(draw.integers(12, 45)))
        self.next_day = self.day + timedelta(days=1)
        self.before = [self.day - timedelta(days=back) for back in range(WINDOW, 0, -1)]
        self.older = self.before[0] - timedelta(days=1)
        self.bad = self.before[int(draw.integers(1, WINDOW - 1))]
        fit = [self.older, *(day for day in self.before if day != self.bad)]
        self.usual = int(np.median([len(self.frame(day)) for day in fit]))
        self.deliveries = [delivery(day, self.frame(day)) for day in fit]
        self.deliveries += [delivery(self.bad, out_of_range(self.frame(self.bad), "distance_km", draw))]
        self.today = with_nulls(self.frame(self.day), "distance_km", 0.016, draw)
        late = draw.permutation(len(self.today))[: len(self.today) // 8]
        self.late = self.today.iloc[np.sort(late)]
        self.in_time = self.today.drop(self.late.index)

    @lru_cache(maxsize=64)  # noqa: B019  (one season per grading)
    def frame(self, day: date) -> pd.DataFrame:
        return of_regulars(as_delivered(self.offers.impressions(day)))

    @property
    def train_days(self) -> list[str]:
        return [str(day) for day in self.before if day != self.bad]

    def first_delivery(self) -> Delivery:
        """The date under test, before its late rows came."""
        return delivery(self.day, self.in_time)

    def delivered_twice(self, draw: np.random.Generator) -> Delivery:
        """The date under test with 40 rows in a further part again, and one part listed twice."""
        twice = self.first_delivery().add(self.in_time.iloc[draw.permutation(len(self.in_time))[:40]])
        twice.listed.append(twice.listed[int(draw.integers(3))])
        return twice

    def training_day_delivered_often(self) -> Delivery:
        """The first day of the window, and its redeemed rows twenty times again."""
        frame = self.frame(self.before[0])
        return delivery(self.before[0], frame).add(pd.concat([frame[frame["redeemed"] == 1]] * 20))

    def second_delivery(self) -> Delivery:
        """The same parts, and one more with the rows that came late."""
        return self.first_delivery().add(self.late)


def before_the_event(frame: pd.DataFrame) -> pd.DataFrame:
    """What is known when an offer is to be shown."""
    return frame.drop(columns=AFTER_THE_EVENT)


def with_nulls(frame: pd.DataFrame, column: str, share: float, draw: np.random.Generator) -> pd.DataFrame:
    """Exactly this share of nulls in one column, at drawn places."""
    values = frame[column].fillna(1.0).to_numpy(float).copy()
    values[draw.permutation(len(frame))[: int(share * len(frame))]] = np.nan
    return frame.assign(**{column: values})


def half_of_them_nan(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Every second null of a column becomes NaN, which Parquet holds as well and which is not a null there."""
    values = frame[column].to_numpy(float)
    null = np.isnan(values)
    null[np.flatnonzero(null)[::2]] = False
    return frame.assign(**{column: pd.arrays.FloatingArray(values, null)})


def with_one(frame: pd.DataFrame, column: str, value: Any, draw: np.random.Generator) -> pd.DataFrame:
    """One row, at a drawn place, with this value in a column. None in a column of whole numbers stays a null."""
    values = frame[column]
    if value is None and pd.api.types.is_integer_dtype(values):
        values = values.astype(values.dtype.name.capitalize())  # Int32, say, which can hold a null
    values = values.copy()
    values.iloc[draw.integers(len(frame))] = value
    return frame.assign(**{column: values})


def out_of_range(frame: pd.DataFrame, column: str, draw: np.random.Generator) -> pd.DataFrame:
    """One row, at a drawn place, with a value just outside of its column's range, on a drawn side."""
    least, most = LIMITS[column]
    step = 0.5 if isinstance(least, float) else 1
    return with_one(frame, column, (least - step, most + step)[int(draw.integers(2))], draw)


def midnights(frame: pd.DataFrame) -> tuple[np.datetime64, np.datetime64]:
    """In UTC: the first moment of the frame's date in India, and the first after it."""
    india = frame["shown_at"].to_numpy().astype("datetime64[us]").max() + np.timedelta64(330, "m")
    start = india.astype("datetime64[D]").astype("datetime64[us]") - np.timedelta64(330, "m")
    return start, start + np.timedelta64(1, "D")


def of_another_day(frame: pd.DataFrame, late: bool, draw: np.random.Generator) -> pd.DataFrame:
    """One row that was shown at the next midnight in India, or a minute before the date began there."""
    start, end = midnights(frame)
    return with_one(frame, "shown_at", end if late else start - np.timedelta64(1, "m"), draw)


def at_the_limits(frame: pd.DataFrame, side: int, draw: np.random.Generator) -> pd.DataFrame:
    """A row with the least (side 0) or the most (side 1) that is allowed, in every column."""
    start, end = midnights(frame)
    moment = end - np.timedelta64(1, "us") if side else start
    place, frame = int(draw.integers(len(frame))), frame.copy()
    for column, value in {
        "shown_at": moment,
        **{name: limits[side] for name, limits in LIMITS.items()},
    }.items():
        frame.iloc[place, frame.columns.get_loc(column)] = value
    return frame


def fewer(frame: pd.DataFrame, rows: int, draw: np.random.Generator) -> pd.DataFrame:
    return frame.iloc[np.sort(draw.permutation(len(frame))[:rows])]


def upside_down(frame: pd.DataFrame) -> pd.DataFrame:
    """Labels turned round: what any model knows is wrong on such a day."""
    return frame.assign(redeemed=(1 - frame["redeemed"]).astype(np.int8))
