"""What the grader trains on: the review sample of a seed, with the rows in it that notebooks stumble over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import cycle

import numpy as np

from payments import (
    HISTORY_DAYS,
    IST,
    LATER_DAYS,
    Row,
    amount,
    indian_day,
    lines,
    moment,
    sample,
    time_text,
    unlabelled,
)

HOLDOUT_DAYS = 7
SMALL_PAISE = (115, 435, 820, 1005, 1990, 2905)  # ÷ 100 × 100 is a little less, in binary
GAPS = ("payer_account_age_days", "payer_txn_count_24h", "payer_mean_amount_30d_paise",
        "payer_merchant_is_new", "device_age_days", "distance_km")  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """A line that must be refused. `words` say what is wrong with it; `needs_label`: only in rows to train on."""

    words: str
    transaction_id: int
    line: str
    needs_label: bool = False


@dataclass(frozen=True)
class Material:
    """`history` is trained on; `later` are the ten days after it; `broken` are lines that must be refused.

    Two of the last days are no days: one has no row at all, on the other one (`broken_day`) every row is broken.
    """

    history: list[Row]
    later: list[Row]
    broken: list[Broken]
    broken_day: date

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
        for name, broken in zip(cycle(sorted(files)[3:]), self.broken, strict=False):
            files[name] = broken.line + "\n" + files[name]
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
    days = sorted({indian_day(row) for row in sample(seed)})
    empty_day, broken_day = (days[-i] for i in 2 + rng.permutation(5)[:2])
    kept = [row for row in sample(seed) if indian_day(row) not in (empty_day, broken_day)]
    history = [*kept, *_odd_rows(rng, kept)]
    later = list(sample(seed, HISTORY_DAYS, LATER_DAYS))
    return Material(history, later, broken_rows(rng, history, broken_day), broken_day)


def held_by_mistake(data: Material) -> dict[str, set[int]]:
    """The holdout as it would be by each wrong rule: the ids of its rows, by what the rule counts."""
    last = data.days[-1]
    with_broken = set(sorted({*data.days, data.broken_day})[-HOLDOUT_DAYS:])
    in_utc = {row["transaction_id"]: moment(row).astimezone(UTC).date() for row in data.history}
    utc_days = set(sorted(set(in_utc.values()))[-HOLDOUT_DAYS:])
    since = last - timedelta(days=HOLDOUT_DAYS)
    indian = {row["transaction_id"]: indian_day(row) for row in data.history}
    return {
        "days in UTC": {i for i, day in in_utc.items() if day in utc_days},
        "days of the calendar, those without a row too": {i for i, day in indian.items() if day > since},
        "the days on which every row is broken, too": {i for i, day in indian.items() if day in with_broken},
    }


def _odd_rows(rng: np.random.Generator, rows: list[Row]) -> list[Row]:
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


def broken_rows(rng: np.random.Generator, rows: list[Row], day: date) -> list[Broken]:
    """Rows of one day that break the contract, each in one way. Whoever takes one, has it in the holdout."""
    row = rows[int(rng.integers(len(rows)))]
    second = f"{day}T12:{int(rng.integers(60)):02}:{int(rng.integers(60)):02}"
    whole: Row = {
        **_without_amount(row, {"amount_rupees": 1}),
        **amount(25_000, in_rupees=False),
        "event_time": f"{second}+05:30",
    }
    made = []
    for number, (words, change) in enumerate(WRONG.items()):
        changed = {**whole, "transaction_id": 10**15 + 2_000 + number, **change}
        made.append(_broken(words, changed))
    for number, (words, text) in enumerate(WRONG_TIMES.items()):
        at = text.format(day=day, second=second)
        made.append(_broken(words, {**whole, "transaction_id": 10**15 + 2_100 + number, "event_time": at}))
    cut = json.dumps(whole)[: int(rng.integers(200, 300))]
    return [
        *made,
        Broken("a line that ends in the middle", 0, cut),
        Broken("an empty line", 0, ""),
        Broken("a list instead of an object", 0, json.dumps([whole])),
    ]


def _broken(words: str, row: Row) -> Broken:
    line = json.dumps({name: value for name, value in row.items() if value is not ABSENT})
    return Broken(words, row["transaction_id"], line.replace("Infinity", "1e999"), "`is_fraud`" in words)


ABSENT = object()
WRONG: dict[str, Row] = {
    "both amounts": {"amount_rupees": 250.0},
    "no amount": {"amount_paise": None},
    'a text as its amount, "25000"': {"amount_paise": "25000"},
    "an amount of 0": {"amount_paise": 0},
    "a `distance_km` of -1": {"distance_km": -1.0},
    "`distance_km`: true": {"distance_km": True},
    "`device_age_days`: NaN": {"device_age_days": float("nan")},
    "`device_age_days`: 1e999": {"device_age_days": float("inf")},
    "`payer_merchant_is_new`: 1": {"payer_merchant_is_new": 1},
    "a number as its `channel`": {"channel": 4},
    "no `event_time`": {"event_time": ABSENT},
    "`is_fraud`: null": {"is_fraud": None},
    "no `is_fraud`": {"is_fraud": ABSENT},
    "`is_fraud`: 0": {"is_fraud": 0},
}
WRONG_TIMES = {
    "a time without an offset": "{second}",
    "a time with a space for its T": "{day} 12:00:00+05:30",
    "a time with 7 digits after the seconds": "{second}.1234567+05:30",
    "a time with the offset +99:99": "{second}+99:99",
    "a time with the offset +05:99": "{second}+05:99",
    "a time with the offset +0530": "{second}+0530",
    "a time without seconds": "{day}T12:00+05:30",
    "a time on 31 February": "2026-02-31T12:00:00+05:30",
}


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
