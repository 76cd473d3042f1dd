"""Replays of Nukkad Pay: healthy days, then days one by one. Only the grader knows what strikes, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from labs.world import CalendarDay, Incident, World

REFERENCE_DAYS = 35  # five whole weeks, so that two salary days are always among them
TRANSACTIONS_PER_DAY = 3_000
QUIET_DAYS = 4  # between two strikes
# kind: days it lasts, severity, and how many days after the first struck day the alert may come
KINDS: Mapping[str, tuple[tuple[float, float], tuple[float, float], int]] = {
    "unit_switch": ((1, 2), (0.4, 1.0), 1),
    "null_spike": ((1, 2), (0.15, 0.8), 1),
    "renamed_category": ((1, 3), (0.5, 1.0), 1),
    "stale_features": ((1, 1.5), (0.4, 1.0), 1),
    "dead_upstream_job": ((3, 5), (0.5, 1.0), 1),
    "bad_deploy": ((0.7, 1), (0.5, 1.0), 1),
    "fraud_attack": ((5, 6), (0.7, 1.0), 4),
}
AFTERMATH_DAYS = {"fraud_attack": 10}  # its late reports may still be news; for all others one day
SHOWN_BY = {"bad_deploy": ("score",), "fraud_attack": ("is_fraud",)}

Day = tuple[int, pd.DataFrame, dict[str, Any], pd.DataFrame]
Tamper = Callable[[int, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Alert:
    """What a monitor said, and on which day."""

    day: int
    cause: str
    feature: str | None

    @property
    def wakes_somebody(self) -> bool:
        return self.cause != "expected_change"

    def __str__(self) -> str:
        return f"`{self.cause}`" + (f" for `{self.feature}`" if self.feature else "")


@dataclass(frozen=True)
class Strike:
    """One thing that goes wrong: the first and last day that show it, and the last day for an alert in time."""

    cause: str
    features: tuple[str, ...]
    first: int
    last: int
    by: int

    def explains(self, alert: Alert) -> bool:
        until = self.last + AFTERMATH_DAYS.get(self.cause, 1)
        return (
            alert.cause == self.cause and alert.feature in self.features and self.first <= alert.day <= until
        )


@dataclass(frozen=True)
class Replay:
    """Days that follow a healthy reference; day 0 is the first one after it."""

    seed: int
    first_day: date
    days: int
    incidents: tuple[Incident, ...] = ()
    strikes: tuple[Strike, ...] = ()
    tampers: tuple[Tamper, ...] = ()
    festivals: Mapping[int, str] = field(
        default_factory=dict
    )  # days with a festival that the world does not have

    def calendar(self, day: int) -> CalendarDay:
        today = self._world.calendar(REFERENCE_DAYS + day)
        return replace(today, festival=self.festivals.get(day, today.festival))

    def reference(self) -> tuple[pd.DataFrame, list[dict[str, Any]], pd.DataFrame]:
        """What `begin` is given."""
        frame, labels = _reference(self.seed, self.first_day)
        return frame, [as_plain(self.calendar(day)) for day in range(-REFERENCE_DAYS, 0)], labels

    def __iter__(self) -> Iterator[Day]:
        """(day, transactions, calendar, labels that arrived during that day), one day after the other."""
        labels = pd.concat(
            [self._labels(day) for day in range(-REFERENCE_DAYS, self.days)], ignore_index=True
        )
        labels = labels.sort_values("labelled_at", kind="stable", ignore_index=True)
        arrived = labels["labelled_at"].to_numpy()
        for day in range(self.days):
            today = self.calendar(day)
            frame = self._served(day)
            for tamper in self.tampers:
                frame = tamper(day, frame)
            bounds = np.array([today.start, today.end], dtype="datetime64[us]")
            first, last = np.searchsorted(arrived, bounds, side="right")
            yield day, frame, as_plain(today), labels.iloc[first:last].reset_index(drop=True)

    def hit(
        self,
        rng: np.random.Generator,
        kind: str,
        feature: str | None = None,
        day: int | None = None,
        days: float | None = None,
        last_day: int | None = None,
    ) -> Replay:
        """The same replay with one more incident, which starts in the morning; by default after some quiet days.

        It lasts as long as its kind does, or `days`, or until the midnight after `last_day`.
        """
        lasts, severity, delay = KINDS[kind]
        start_day = self.days + QUIET_DAYS - 1 if day is None else day
        start = self.calendar(start_day).start + timedelta(hours=rng.uniform(0, 10))
        end = start + timedelta(days=days or rng.uniform(*lasts))
        if last_day is not None:
            end = self.calendar(last_day).end
        incident = Incident(kind, start, end, round(rng.uniform(*severity), 3), feature=feature)
        last = incident.days(self.first_day)[-1] - REFERENCE_DAYS
        # A job that dies in the morning has already written today's tables.
        first = start_day + 1 if kind == "dead_upstream_job" else start_day
        strike = Strike(kind, incident.features or SHOWN_BY[kind], first, last, first + delay)
        return replace(
            self,
            days=max(self.days, last + QUIET_DAYS),
            incidents=(*self.incidents, incident),
            strikes=(*self.strikes, strike),
        )

    def tampered(self, tamper: Tamper, *strikes: Strike) -> Replay:
        """The same replay with the grader's own hand on its frames."""
        days = max([self.days, *(strike.last + QUIET_DAYS for strike in strikes)])
        return replace(self, days=days, strikes=(*self.strikes, *strikes), tampers=(*self.tampers, tamper))

    @property
    def _world(self) -> World:
        return World(self.seed, self.first_day, TRANSACTIONS_PER_DAY, self.incidents)

    def _on(self, day: int) -> tuple[Incident, ...]:
        today = self.calendar(day)
        return tuple(each for each in self.incidents if each.start < today.end and each.end > today.start)

    def _served(self, day: int) -> pd.DataFrame:
        struck = self._on(day)
        return (
            self._world.served(REFERENCE_DAYS + day) if struck else _clean(self.seed, self.first_day, day)[0]
        )

    def _labels(self, day: int) -> pd.DataFrame:
        struck = day >= 0 and any(each.kind == "fraud_attack" for each in self._on(day))
        return (
            self._world.labels(REFERENCE_DAYS + day) if struck else _clean(self.seed, self.first_day, day)[1]
        )


@lru_cache(maxsize=256)
def _clean(seed: int, first_day: date, day: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    world = World(seed, first_day, TRANSACTIONS_PER_DAY)
    return world.served(REFERENCE_DAYS + day), world.labels(REFERENCE_DAYS + day)


@lru_cache(maxsize=4)
def _reference(seed: int, first_day: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    days = [_clean(seed, first_day, day) for day in range(-REFERENCE_DAYS, 0)]
    until = World(seed, first_day).calendar(REFERENCE_DAYS).start
    labels = pd.concat([each[1] for each in days], ignore_index=True)
    known = labels[labels["labelled_at"] <= until].sort_values(
        "labelled_at", kind="stable", ignore_index=True
    )
    return pd.concat([each[0] for each in days], ignore_index=True), known


def as_plain(today: CalendarDay) -> dict[str, Any]:
    return {
        "date": today.date.isoformat(),
        "weekday": today.weekday,
        "is_weekend": today.is_weekend,
        "is_salary_day": today.is_salary_day,
        "festival": today.festival,
    }
