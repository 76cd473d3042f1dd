"""The same payments, written as the apps, the queue and the years may write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import numpy as np

from material import GAPS, SMALL_PAISE
from payments import IST, Row, moment, time_text, unlabelled

COUNT = 72


def plain(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    """Payments at every twenty minutes of an Indian day and on the edges of it; gaps are null; amounts in paise."""
    chosen = [rows[i] for i in rng.permutation(len(rows))[:COUNT]]
    written = []
    for number, row in enumerate(chosen):
        day = moment(row).astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
        at = day + timedelta(minutes=20 * number, seconds=int(rng.integers(60)) if number % 3 else 0)
        paise = SMALL_PAISE[number] if number < len(SMALL_PAISE) else int(rng.integers(500, 900_000))
        gaps = {name: row.get(name) for name in GAPS} | {GAPS[number % len(GAPS)]: None}
        clean = {name: value for name, value in unlabelled(row).items() if name != "amount_rupees"}
        written.append({**clean, **gaps, "event_time": time_text(at, in_utc=False), "amount_paise": paise})
    return written


@dataclass(frozen=True)
class Way:
    """The same payments, written in another way: `words` name it, `hint` is what to think about."""

    words: str
    rows: list[Row]
    hint: str


def others(rows: list[Row]) -> list[Way]:
    zone = "Turn the moment into Indian time before you take its hour or its day."
    rupees = "4.35 × 100 is 434.99999999999994: round to whole paise."
    return [
        Way("their times in UTC", _at(rows, UTC), zone),
        Way("their times with +09:00", _at(rows, timezone(timedelta(hours=9))), zone),
        Way("their amounts in rupees", _in_rupees(rows), rupees),
        Way(
            "gaps left out instead of null",
            _without_gaps(rows),
            "Not there and null are the same: not known.",
        ),
        Way(
            "keys in another order, more fields, the label too",
            _with_more(rows),
            "Take what the contract names.",
        ),
    ]


def _at(rows: list[Row], zone: timezone) -> list[Row]:
    def text(row: Row) -> str:
        return datetime.fromisoformat(row["event_time"]).astimezone(zone).isoformat().replace("+00:00", "Z")

    return [{**row, "event_time": text(row)} for row in rows]


def _in_rupees(rows: list[Row]) -> list[Row]:
    return [{**row, "amount_paise": None, "amount_rupees": row["amount_paise"] / 100} for row in rows]


def _without_gaps(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _with_more(rows: list[Row]) -> list[Row]:
    more = {"is_fraud": True, "app_version": "9.4.1", "chargeback_at": "2026-03-01T00:00:00Z"}
    return [{**more, **dict(reversed(row.items()))} for row in rows]
