"""The world: one object that answers for any day, alone and in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from labs.world.calendar import CalendarDay, calendar_day
from labs.world.champion import champion_score, misbuilt_score
from labs.world.clock import utc
from labs.world.draws import Bools, Columns, Floats
from labs.world.faults import attack, corrupt
from labs.world.frames import frame_of, named
from labs.world.fraud import CHARGEBACK_WINDOW, draw_labels, fraud_probability
from labs.world.incidents import Incident, IncidentKind
from labs.world.process import clean_columns
from labs.world.serving import VERSIONS, active_rows, latency_and_errors, lookups
from labs.world.telemetry import per_minute

if TYPE_CHECKING:
    import pandas as pd

MOST_PER_DAY = 5_000_000  # above it the exact arithmetic of arrival times could overflow
MOST_DAYS = 36_500


@dataclass(frozen=True)
class World:
    """Nukkad Pay from `first_day` on: `transactions_per_day` on an ordinary first day, with these
    `incidents`.

    A `day` is a number counted from `first_day` (0 is the first), or a date; it runs from midnight to
    midnight in India. Every method gives the same answer each time, whatever was asked before. All times are
    UTC without a zone.

    Raises `ValueError` (naming the field, the value and what to give) on a world or a day that cannot be.
    """

    seed: int = 7
    first_day: date = date(2026, 1, 1)
    transactions_per_day: int = 20_000
    incidents: tuple[Incident, ...] = ()

    def __post_init__(self) -> None:
        # The types are promises that callers may break, so each is looked at as an unknown object.
        seed, first_day, volume = map(_unknown, (self.seed, self.first_day, self.transactions_per_day))
        if not _is_whole(seed) or self.seed < 0:
            raise ValueError(f"seed is {seed!r}: give a whole number, 0 or more")
        if not isinstance(first_day, date) or isinstance(first_day, datetime):
            raise ValueError(f"first_day is {first_day!r}: give a date, such as date(2026, 1, 1)")
        if not _is_whole(volume) or not 1 <= self.transactions_per_day <= MOST_PER_DAY:
            raise ValueError(
                f"transactions_per_day is {volume!r}: give a whole number from 1 to {MOST_PER_DAY:,}"
            )
        incidents = tuple(self.incidents)
        for incident in map(_unknown, incidents):
            if not isinstance(incident, Incident):
                raise ValueError(f"incidents holds {incident!r}: give Incident objects (see plan_incidents)")
        object.__setattr__(self, "incidents", tuple(sorted(incidents, key=lambda each: each.start)))

    def calendar(self, day: int | date) -> CalendarDay:
        """What is special about the day, and how many transactions to expect."""
        return calendar_day(self.first_day, self._number(day), self.transactions_per_day)

    def transactions(self, day: int | date) -> pd.DataFrame:
        """What the service saw that day, incidents included, in order of event_time. Columns: see
        `docs/world.md`."""
        return frame_of(self._seen(self.calendar(day)))

    def served(self, day: int | date) -> pd.DataFrame:
        """`transactions(day)` with what the service answered: score (0 to 1), latency_ms and
        model_version."""

        today = self.calendar(day)
        columns = self._seen(today)
        struck = self._on(today)
        event_time = columns["event_time"]
        score = champion_score(columns)
        version = np.zeros(score.size, dtype=np.int8)
        for incident in struck:
            if incident.kind is IncidentKind.BAD_DEPLOY:
                rows = active_rows(event_time, incident)
                version[rows] = 1
                their_columns = {name: values[rows] for name, values in columns.items()}
                score[rows] = misbuilt_score(their_columns, incident.severity)
        looked_up = lookups(self.seed, today.day, event_time, struck)
        frame = frame_of(columns)
        frame["score"] = score
        frame["latency_ms"], _ = latency_and_errors(self.seed, today.day, looked_up)
        frame["model_version"] = named(version, VERSIONS)
        return frame

    def labels(self, day: int | date) -> pd.DataFrame:
        """Every label of that day's transactions: transaction_id, is_fraud, and labelled_at, when it becomes
        known."""
        import pandas as pd

        today = self.calendar(day)
        columns, probability = self._truth(today)
        is_fraud, labelled_at = draw_labels(self.seed, today.day, columns["event_time"], probability)
        data = {
            "transaction_id": columns["transaction_id"],
            "is_fraud": is_fraud,
            "labelled_at": labelled_at.view("datetime64[us]"),
        }
        return pd.DataFrame(data, copy=False)

    def labels_known(self, as_of: datetime, first: int | date = 0) -> pd.DataFrame:
        """The labels of transactions from day `first` on that have arrived at or before `as_of`.

        The same columns as `labels`, day after day. Work and result grow with the days since `first`; at most
        one day is held beside the result. To follow labels as they arrive, `labels_arriving` is cheaper. Note
        what a naive reader learns from the last thirty days: only frauds are known yet.
        """
        import pandas as pd

        until = utc(as_of)
        last = (until - self.calendar(0).start) // timedelta(days=1)
        known = [_arrived(self.labels(day), None, until) for day in range(self._number(first), last + 1)]
        return pd.concat(known, ignore_index=True) if known else self.labels(0).iloc[:0]

    def labels_arriving(self, after: datetime, until: datetime) -> pd.DataFrame:
        """The labels that arrived later than `after` and not later than `until`, in order of arrival.

        Looks at the days of the window and the 30 before it only.
        """
        import pandas as pd

        begin, end = utc(after), utc(until)
        opened = self.calendar(0).start
        first = max(0, (begin - CHARGEBACK_WINDOW - opened) // timedelta(days=1))
        days = range(first, (end - opened) // timedelta(days=1) + 1)
        arrived = [_arrived(self.labels(day), begin, end) for day in days]
        if not arrived:
            return self.labels(0).iloc[:0]
        return pd.concat(arrived).sort_values("labelled_at", kind="stable", ignore_index=True)

    def truth(self, day: int | date) -> pd.DataFrame:
        """For graders only: transaction_id, fraud_probability (the process's own) and is_fraud."""
        import pandas as pd

        today = self.calendar(day)
        columns, probability = self._truth(today)
        is_fraud, _ = draw_labels(self.seed, today.day, columns["event_time"], probability)
        data = {
            "transaction_id": columns["transaction_id"],
            "fraud_probability": probability,
            "is_fraud": is_fraud,
        }
        return pd.DataFrame(data, copy=False)

    def telemetry(self, day: int | date) -> pd.DataFrame:
        """What monitoring saw, one row for each of the day's 1,440 minutes; see `docs/world.md` for the
        columns."""
        today = self.calendar(day)
        columns = self._seen(today)
        struck = self._on(today)
        looked_up = lookups(self.seed, today.day, columns["event_time"], struck)
        return per_minute(self.seed, today, columns, looked_up, struck, self.transactions_per_day)

    def stream(self, first: int | date = 0, days: int = 30) -> Iterator[tuple[int, pd.DataFrame]]:
        """(day number, transactions) for `days` days; one day in memory at a time."""
        begin = self._number(first)
        for day in range(begin, begin + days):
            yield day, self.transactions(day)

    def _seen(self, today: CalendarDay) -> Columns:
        columns, _ = self._happened(today)
        corrupt(self.seed, today, columns, self._on(today))
        return columns

    def _truth(self, today: CalendarDay) -> tuple[Columns, Floats]:
        columns, attacked = self._happened(today)
        return columns, fraud_probability(self.seed, columns, attacked)

    def _happened(self, today: CalendarDay) -> tuple[Columns, Bools]:
        columns = clean_columns(self.seed, today)
        return columns, attack(self.seed, today, columns, self._on(today))

    def _on(self, today: CalendarDay) -> tuple[Incident, ...]:
        return tuple(each for each in self.incidents if each.start < today.end and each.end > today.start)

    def _number(self, day: int | date) -> int:
        if isinstance(day, datetime):
            raise ValueError(f"day is {day!r}: give a number or a date, not a datetime")
        number = (day - self.first_day).days if isinstance(day, date) else int(day)
        if not 0 <= number < MOST_DAYS:
            raise ValueError(f"day is {day!r}: give 0 to {MOST_DAYS - 1}, or a date from {self.first_day} on")
        return number


def _arrived(labels: pd.DataFrame, after: datetime | None, until: datetime) -> pd.DataFrame:
    arrived = labels["labelled_at"] <= until
    if after is not None:
        arrived &= labels["labelled_at"] > after
    return labels[arrived]


def _unknown(value: object) -> object:
    return value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
