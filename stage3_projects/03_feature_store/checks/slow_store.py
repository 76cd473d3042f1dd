"""The contract as slow, plain loops: what every answer must be. No join, no Feast, one row after the other.

Times are whole microseconds since 1970, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
NIGHTLY, STREAM = "payer_nightly", "payer_stream"
VIEWS = (NIGHTLY, STREAM)
MAX_AGE = {NIGHTLY: 2 * DAY, STREAM: HOUR}
OBJECTIVE = {NIGHTLY: 26 * HOUR, STREAM: 15 * MINUTE}
AGE, MEAN, COUNT = "payer_account_age_days", "payer_mean_amount_30d_paise", "payer_txn_count_24h"
RUPEES, MERCHANTS, RATIO = "payer_mean_amount_30d_rupees", "payer_merchants_30d", "amount_to_mean_30d"
STORED = {NIGHTLY: (AGE, MEAN, MERCHANTS), STREAM: (COUNT,)}
SERVICES = {"fraud_v1": (AGE, MEAN, COUNT, RATIO), "fraud_v2": (AGE, RUPEES, MERCHANTS, COUNT, RATIO)}


@dataclass(frozen=True)
class Row:
    """One row of an upstream. `values` holds None for null."""

    view: str
    payer: int
    event: int
    created: int
    values: dict[str, float | None]
    deleted: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        return self.event, self.created


@dataclass(frozen=True)
class Asked:
    """One row of an entity frame, or one look-up. `case` says in words why it is asked."""

    payer: int
    time: int
    amount: int
    case: str = ""


def winner(rows: Iterable[Row], payer: int, time: int) -> Row | None:
    """The row that counts at `time`."""
    best = None
    for row in rows:
        known = row.payer == payer and row.event <= time and row.created <= time
        if known and (best is None or row.rank > best.rank):
            best = row
    return best


def status(row: Row | None, time: int) -> str:
    if row is None:
        return "missing"
    if row.deleted:
        return "deleted"
    return "stale" if time - row.event > MAX_AGE[row.view] else "ok"


def features(rows: dict[str, Row | None], asked: Asked, service: str) -> dict[str, float | None]:
    """The columns of a service, from the row that counts in each view."""
    values: dict[str, float | None] = {}
    for view in VIEWS:
        row = rows[view]
        served = row is not None and status(row, asked.time) == "ok"
        for name in STORED[view]:
            values[name] = row.values.get(name) if served and row is not None else None
    mean = values[MEAN]
    values[RUPEES] = None if mean is None else mean / 100
    values[RATIO] = None if mean is None or mean == 0 else asked.amount / mean
    return {name: values[name] for name in SERVICES[service]}


@dataclass
class SlowStore:
    """A feature store that is right and in no hurry."""

    history: dict[str, list[Row]] = field(default_factory=lambda: {view: [] for view in VIEWS})
    there: dict[str, dict[int, Row]] = field(default_factory=lambda: {view: {} for view in VIEWS})

    def ingest(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self.history[row.view].append(row)

    def push(self, rows: Sequence[Row]) -> None:
        self.ingest(rows)
        for row in rows:
            self._write(row)

    def materialize(self, end: int) -> None:
        for (_, payer), rows in self._by_payer().items():
            row = winner(rows, payer, end)
            if row is not None:
                self._write(row)

    def trained(self, asked: Sequence[Asked], service: str = "fraud_v1") -> list[dict[str, Any]]:
        per_payer = self._by_payer()
        answers = []
        for one in asked:
            rows = {view: winner(per_payer.get((view, one.payer), ()), one.payer, one.time) for view in VIEWS}
            answers.append(features(rows, one, service))
        return answers

    def online(self, asked: Sequence[Asked], service: str = "fraud_v1") -> list[dict[str, Any]]:
        answers = []
        for one in asked:
            rows = {view: self.there[view].get(one.payer) for view in VIEWS}
            answer: dict[str, Any] = {"payer_id": one.payer, **features(rows, one, service)}
            for view, row in rows.items():
                answer[f"{view}_status"] = status(row, one.time)
                answer[f"{view}_age_seconds"] = None if row is None else (one.time - row.event) / SECOND
            answers.append(answer)
        return answers

    def freshness(self, now: int) -> dict[str, dict[str, Any]]:
        report = {}
        for view in VIEWS:
            ages = sorted(now - row.event for row in self.there[view].values() if not row.deleted)
            p95 = ages[(95 * len(ages) + 99) // 100 - 1] if ages else None
            stale = sum(age > MAX_AGE[view] for age in ages)
            report[view] = {
                "payers": len(ages),
                "p95_age_seconds": None if p95 is None else p95 / SECOND,
                "stale_share": stale / len(ages) if ages else None,
                "met": p95 is not None and p95 <= OBJECTIVE[view],
            }
        return report

    def _by_payer(self) -> dict[tuple[str, int], list[Row]]:
        groups: dict[tuple[str, int], list[Row]] = {}
        for view in VIEWS:
            for row in self.history[view]:
                groups.setdefault((view, row.payer), []).append(row)
        return groups

    def _write(self, row: Row) -> None:
        old = self.there[row.view].get(row.payer)
        if old is None or row.rank > old.rank:
            self.there[row.view][row.payer] = row
