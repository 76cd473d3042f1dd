"""Nukkad Pay's review sample: every fraud of some weeks, and a hundred ordinary payments a day, as raw rows.

    python payments.py FOLDER [--seed N]

writes FOLDER/history (four weeks with their answers, one file a day) and FOLDER/later (the ten days after).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labs.world import World

Row = dict[str, Any]

IST = timezone(timedelta(hours=5, minutes=30))
FIRST_DAY = date(2026, 2, 2)
HISTORY_DAYS, LATER_DAYS = 28, 10
PER_DAY = 3_000
LEGIT_PER_DAY = 100
NAMES = ("asha", "bina", "chetan", "dev", "esha", "farhan", "gita", "hari", "isha", "jatin", "kavya", "lalit")
NULLABLE = {"device_age_days": 0.12, "payer_mean_amount_30d_paise": 0.15, "distance_km": 0.10}


@lru_cache(maxsize=4)
def sample(seed: int, first: int = 0, days: int = HISTORY_DAYS) -> tuple[Row, ...]:
    """The rows of `days` days from `first` on, oldest first. Amounts, times and gaps are written as apps do it."""
    rng = np.random.default_rng([seed, first])
    world = World(seed=seed, first_day=FIRST_DAY, transactions_per_day=PER_DAY)
    rows: list[Row] = []
    for day in range(first, first + days):
        frame = world.transactions(day)
        is_fraud = world.truth(day)["is_fraud"].to_numpy()
        chosen = is_fraud.copy()
        others = np.flatnonzero(~is_fraud)
        chosen[rng.choice(others, size=LEGIT_PER_DAY, replace=False)] = True
        frame = frame[chosen].assign(is_fraud=is_fraud[chosen])
        rows += [_row(rng, each) for each in frame.to_dict("records")]
    return tuple(rows)


def _row(rng: np.random.Generator, each: Row) -> Row:
    at = each["event_time"].to_pydatetime().replace(tzinfo=UTC)
    row: Row = {
        "transaction_id": int(each["transaction_id"]),
        "event_time": time_text(at, in_utc=rng.random() < 0.3),
        "payer_vpa": f"{NAMES[each['payer_id'] % len(NAMES)]}.{each['payer_id']}@nukkad",
        "merchant_id": int(each["merchant_id"]),
        "merchant_category": str(each["merchant_category"]),
        "channel": str(each["channel"]),
        **amount(int(each["amount_paise"]), in_rupees=rng.random() < 0.25),
        "payer_account_age_days": float(each["payer_account_age_days"]),
        "payer_txn_count_24h": int(each["payer_txn_count_24h"]),
        "payer_mean_amount_30d_paise": round(float(each["payer_mean_amount_30d_paise"]), 2),
        "payer_merchant_is_new": bool(each["payer_merchant_is_new"]),
        "device_age_days": round(float(each["device_age_days"]), 3),
        "distance_km": round(float(each["distance_km"]), 3),
        "is_fraud": bool(each["is_fraud"]),
    }
    for name, share in NULLABLE.items():
        if rng.random() < share:
            row[name] = None
    return row


def time_text(at: datetime, in_utc: bool) -> str:
    """RFC 3339, in UTC with Z or in Indian time with +05:30."""
    if in_utc:
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return at.astimezone(IST).isoformat()


def amount(paise: int, in_rupees: bool) -> Row:
    """Old apps send rupees with two digits, new ones paise."""
    return {"amount_rupees": paise / 100} if in_rupees else {"amount_paise": paise}


def amount_paise(row: Row) -> int:
    return row["amount_paise"] if "amount_paise" in row else round(row["amount_rupees"] * 100)


def moment(row: Row) -> datetime:
    return datetime.fromisoformat(row["event_time"])


def indian_day(row: Row) -> date:
    return moment(row).astimezone(IST).date()


def lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def unlabelled(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "is_fraud"}


def write(folder: Path, rows: Iterable[Row]) -> None:
    """One file for each day in India."""
    by_day: dict[date, list[Row]] = {}
    for row in rows:
        by_day.setdefault(indian_day(row), []).append(row)
    folder.mkdir(parents=True, exist_ok=True)
    for day, each in by_day.items():
        (folder / f"{day}.jsonl").write_text(lines(each), encoding="utf-8")
    frauds = sum(row["is_fraud"] for each in by_day.values() for row in each)
    print(f"{folder}: {sum(map(len, by_day.values())):,} rows, {frauds} frauds, {len(by_day)} days")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write(given.folder / "history", sample(given.seed))
    write(given.folder / "later", sample(given.seed, HISTORY_DAYS, LATER_DAYS))


if __name__ == "__main__":
    main()
