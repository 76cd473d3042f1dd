"""What the grader trains on: the review sample of a seed, with the rows in it that notebooks stumble over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from payments import (
    HISTORY_DAYS,
    IST,
    LATER_DAYS,
    Row,
    amount,
    indian_day,
    lines,
    sample,
    time_text,
    unlabelled,
)

HOLDOUT_DAYS = 7
SMALL_PAISE = (115, 435, 820, 1005, 1990, 2905)  # ÷ 100 × 100 is a little less, in binary
GAPS = ("payer_account_age_days", "payer_txn_count_24h", "payer_mean_amount_30d_paise",
        "payer_merchant_is_new", "device_age_days", "distance_km")  # fmt: skip


@dataclass(frozen=True)
class Material:
    """`history` is trained on; `later` are the ten days after it; `broken` are lines that must be refused."""

    history: list[Row]
    later: list[Row]
    broken: list[str]

    @cached_property
    def days(self) -> list[date]:
        return sorted({indian_day(row) for row in self.history})

    def holdout(self, days: int = HOLDOUT_DAYS) -> list[Row]:
        held = set(self.days[-days:])
        return [row for row in self.history if indian_day(row) in held]

    def train(self, days: int = HOLDOUT_DAYS) -> list[Row]:
        held = set(self.days[-days:])
        return [row for row in self.history if indian_day(row) not in held]

    def files(self) -> dict[str, str]:
        """One file a day, the broken lines among the good ones."""
        files: dict[str, str] = {}
        for row in self.history:
            name = f"{indian_day(row)}.jsonl"
            files[name] = files.get(name, "") + lines([row])
        for name, line in zip(sorted(files)[3:], self.broken, strict=False):
            files[name] = line + "\n" + files[name]
        return files

    def shuffled(self, rng: np.random.Generator) -> dict[str, str]:
        """The same lines in another order, in files that say nothing of their days."""
        every = [line for text in self.files().values() for line in text.splitlines(keepends=True)]
        order = rng.permutation(len(every))
        parts = np.array_split(order, 4)
        return {
            f"part {name}.jsonl": "".join(every[i] for i in part)
            for name, part in zip("zbya", parts, strict=True)
        }


def material(seed: int) -> Material:
    rng = np.random.default_rng([seed, 3])
    history = [*sample(seed), *_odd_rows(rng, sample(seed))]
    return Material(history, list(sample(seed, HISTORY_DAYS, LATER_DAYS)), broken_lines(rng, history))


def _odd_rows(rng: np.random.Generator, rows: tuple[Row, ...]) -> list[Row]:
    """Copies of some rows, each odd in one way that the contract allows; most of them in the holdout."""
    days = sorted({indian_day(row) for row in rows})
    first_held, last = days[-HOLDOUT_DAYS], days[-1]
    midnight = datetime(first_held.year, first_held.month, first_held.day, tzinfo=IST)
    instant = timedelta(microseconds=1)
    at_midnight = [
        {"event_time": time_text(at, in_utc)}
        for at in (
            midnight - instant,
            midnight,
            midnight + instant,
            midnight + timedelta(hours=5, minutes=29),
        )
        for in_utc in (True, False)
    ]
    changes: list[Row] = [
        *at_midnight,
        *({**amount(paise, in_rupees=True), "amount_paise": None} for paise in SMALL_PAISE),
        *({"channel": name} for name in ("lite", "UPI", None)),
        *({"merchant_category": name} for name in ("fuel", "donations", None)),
        *({name: None} for name in GAPS),
        *(
            {name: 0}
            for name in ("payer_txn_count_24h", "device_age_days", "distance_km", "payer_account_age_days")
        ),
        dict.fromkeys((*GAPS, "channel", "merchant_category")),
    ]
    held = [row for row in rows if first_held <= indian_day(row) <= last]
    early = [row for row in rows if indian_day(row) < first_held]
    odd = []
    for number, change in enumerate(changes):
        source = held[int(rng.integers(len(held)))]
        odd.append({**_without_amount(source, change), **change, "transaction_id": 10**15 + number})
    for number, name in enumerate(GAPS * 3):
        source = early[int(rng.integers(len(early)))]
        odd.append({**source, name: None, "transaction_id": 10**15 + 1_000 + number})
    return odd


def _without_amount(row: Row, change: Row) -> Row:
    if "amount_rupees" not in change:
        return row
    return {name: value for name, value in row.items() if name not in ("amount_paise", "amount_rupees")}


def broken_lines(rng: np.random.Generator, rows: list[Row]) -> list[str]:
    """Lines that break the contract, each in one way."""
    row = dict(rows[int(rng.integers(len(rows)))], transaction_id=10**15 + 2_000)
    whole: dict[str, Any] = {**_without_amount(row, {"amount_rupees": 1}), **amount(25_000, in_rupees=False)}
    return [
        json.dumps(whole)[: int(rng.integers(200, 300))],
        json.dumps({**whole, "event_time": whole["event_time"][:19]}),
        json.dumps({**whole, "amount_rupees": 250.0}),
        json.dumps({**whole, "amount_paise": None}),
        json.dumps({**whole, "amount_paise": f"{whole['amount_paise']}"}),
        json.dumps({**whole, "distance_km": -1.0}),
        json.dumps([whole]),
        json.dumps({name: value for name, value in whole.items() if name != "event_time"}),
        json.dumps({**whole, "distance_km": True}),
        json.dumps({**whole, "device_age_days": float("nan")}),
    ]


def with_another_holdout(rows: list[Row], held: list[Row], rng: np.random.Generator) -> list[Row]:
    """The same rows, but those of the holdout say something quite different, labels included."""
    ids = {row["transaction_id"] for row in held}
    changed = []
    for row in rows:
        if row["transaction_id"] in ids:
            row = {
                **_without_amount(row, {"amount_rupees": 1}),
                **amount(int(rng.integers(5_000_000, 9_000_000)), in_rupees=False),
                "is_fraud": not row["is_fraud"],
                "channel": "lite",
                "distance_km": float(rng.integers(1_500, 2_900)),
                "device_age_days": float(rng.integers(3_000, 4_000)),
                "payer_mean_amount_30d_paise": float(rng.integers(100, 900)),
                "payer_txn_count_24h": int(rng.integers(400, 900)),
            }
        changed.append(row)
    return changed


def as_questions(rows: list[Row]) -> str:
    """What the payment service sends: the rows, without their answers."""
    return lines(unlabelled(row) for row in rows)
