"""Rows with drawn values, as data frames and as rows of the slow store."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd

from slow_store import AGE, COUNT, DAY, MEAN, MERCHANTS, MINUTE, NIGHTLY, SECOND, STREAM, Asked, Row

FIRST_ID = 910_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IST = timezone(timedelta(hours=5, minutes=30))
ZONES = (IST, UTC, timezone(timedelta(hours=-3)))  # one column of datetime objects holds all of them


class Draw:
    """Draws payers, times and rows from one generator. No two rows share a value, so a wrong row always shows."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        first = (datetime(2026, 10, 1, 20, 30, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
        self.night = (
            first + int(rng.integers(60)) * DAY
        )  # 02:00 in India, when the nightly job takes its picture
        self._payers = (int(one) for one in rng.permutation(np.arange(1, 400_000)) * 7919)
        self._bare = itertools.cycle(
            (False, True)
        )  # every second deleted row holds nulls, the others hold values
        self._values = iter(rng.permutation(np.arange(1, 200_000)))

    def payer(self) -> int:
        return next(self._payers)

    def payers(self, count: int) -> list[int]:
        return [self.payer() for _ in range(count)]

    def seconds(self, low: int, high: int) -> int:
        """Some whole seconds from `low` to `high` (in microseconds), both included."""
        return int(self.rng.integers(low // SECOND, high // SECOND + 1)) * SECOND

    def micros(self) -> int:
        return int(self.rng.integers(1, SECOND))

    def amount(self) -> int:
        return int(self.rng.integers(1, 100_000)) * 100

    def some_time(self) -> int:
        """A whole second of some day."""
        return self.night + self.seconds(0, 20 * DAY)

    def nightly(self, payer: int, event: int, created: int | None = None, *, deleted: bool = False) -> Row:
        number = int(next(self._values))
        values: dict[str, float | None] = {AGE: number + 0.37, MEAN: number * 37.37}  # too long for 32 bits
        values = {} if deleted and next(self._bare) else values
        late = event + self.seconds(MINUTE, 20 * MINUTE) if created is None else created
        return Row(NIGHTLY, payer, event, late, values, deleted)

    def stream(self, payer: int, event: int, created: int | None = None, *, deleted: bool = False) -> Row:
        late = event + self.seconds(0, 30 * SECOND) if created is None else created
        count = {COUNT: float(next(self._values))}
        return Row(STREAM, payer, event, late, {} if deleted and next(self._bare) else count, deleted)

    def row(
        self, view: str, payer: int, event: int, created: int | None = None, *, deleted: bool = False
    ) -> Row:
        make = self.nightly if view == NIGHTLY else self.stream
        return make(payer, event, created, deleted=deleted)

    def shuffled(self, things: Sequence) -> list:
        return [things[int(place)] for place in self.rng.permutation(len(things))]


def moment(time: int) -> datetime:
    return EPOCH + timedelta(microseconds=time)


def clock(time: int) -> str:
    text = moment(time).isoformat(sep=" ").removesuffix("+00:00")
    return f"{text} UTC"


def column(times: Sequence[int], way: str = "naive") -> np.ndarray | pd.DatetimeIndex:
    """Times as a frame may hold them: "naive" (UTC, in nanoseconds as pandas likes them), "UTC", or "datetimes"."""
    if way == "datetimes":
        objects = np.empty(len(times), dtype=object)
        objects[:] = [moment(time).astimezone(ZONES[place % 3]) for place, time in enumerate(times)]
        return objects
    plain = np.array(times, dtype="datetime64[us]").astype("datetime64[ns]")
    return plain if way == "naive" else pd.DatetimeIndex(plain, tz="UTC")


def frame(rows: Sequence[Row], way: str = "naive") -> pd.DataFrame:
    """Rows of one view as the upstream sends them. What a deleted row says besides is null."""
    view = rows[0].view
    columns = {
        "payer_id": np.array([row.payer for row in rows], dtype="int64"),
        "event_timestamp": column([row.event for row in rows], way),
        "created_timestamp": column([row.created for row in rows], way),
    }
    for name in (AGE, MEAN) if view == NIGHTLY else (COUNT,):
        values = [np.nan if row.values.get(name) is None else row.values[name] for row in rows]
        whole = view == STREAM and not np.isnan(values).any()
        columns[name] = np.array(values, dtype="int64" if whole else "float64")
    if any(MERCHANTS in row.values for row in rows):
        columns[MERCHANTS] = np.array([row.values.get(MERCHANTS, np.nan) for row in rows], dtype="float64")
    return pd.DataFrame({**columns, "is_deleted": np.array([row.deleted for row in rows])})


def entities(asked: Sequence[Asked], way: str = "naive") -> pd.DataFrame:
    """An entity frame, with columns that features know nothing about: two of them are called as in the history."""
    count = len(asked)
    return pd.DataFrame(
        {
            "transaction_id": np.arange(count, dtype="int64") + FIRST_ID,
            "created_timestamp": column([one.time + SECOND for one in asked]),  # of the payment, not of a row
            "payer_id": np.array([one.payer for one in asked], dtype="int64"),
            "event_timestamp": column([one.time for one in asked], way),
            "amount_paise": np.array([one.amount for one in asked], dtype="int64"),
            "is_deleted": np.arange(count) % 2 == 0,
        }
    )


def given_rows(asked: Sequence[Asked]) -> list[dict[str, object]]:
    """What must come back unchanged of each row of an entity frame, times as whole microseconds."""
    return [
        {
            "transaction_id": FIRST_ID + number,
            "created_timestamp": one.time + SECOND,
            "payer_id": one.payer,
            "event_timestamp": one.time,
            "amount_paise": one.amount,
            "is_deleted": number % 2 == 0,
        }
        for number, one in enumerate(asked)
    ]
