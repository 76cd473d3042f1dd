"""Writes payments to practise with: a folder with one Parquet file a day, as the warehouse exports them.

python3 make_data.py DIR [--first-day 2026-08-01] [--days 6] [--seed 7] [--transactions-per-day 10000]
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import pandas as pd

from labs.world import World


def day_of(world: World, day: int) -> pd.DataFrame:
    """One day's payments with their final labels, in plain types: int64, float64, text."""
    payments = world.transactions(day).merge(
        world.truth(day)[["transaction_id", "is_fraud"]], on="transaction_id"
    )
    whole = payments.select_dtypes("integer").columns
    text = payments.select_dtypes("category").columns
    return payments.astype({**dict.fromkeys(whole, "int64"), **dict.fromkeys(text, str)})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first-day", type=date.fromisoformat, default=date(2026, 8, 1))
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--transactions-per-day", type=int, default=10_000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    world = World(seed=given.seed, first_day=given.first_day, transactions_per_day=given.transactions_per_day)
    rows = frauds = 0
    for number in range(given.days):
        payments = day_of(world, number)
        payments.to_parquet(given.folder / f"payments-{world.calendar(number).date}.parquet", index=False)
        rows, frauds = rows + len(payments), frauds + int(payments["is_fraud"].sum())
    print(f"{given.folder}: {given.days} days, {rows:,} payments, {frauds} frauds")


if __name__ == "__main__":
    main()
