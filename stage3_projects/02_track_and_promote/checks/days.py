"""Payments of Nukkad Pay with their final labels, as the warehouse exports them: one Parquet file a day."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from datetime import date, timedelta

import pandas as pd

from labs.world import World

FIRST_DAY = date(2026, 3, 2)


def draw_days(seed: int, first: int, days: int, a_day: int) -> dict[str, pd.DataFrame]:
    """File names and payments: int64, float64, text and `is_fraud`."""
    world = World(seed=seed, first_day=FIRST_DAY, transactions_per_day=a_day)
    return {
        f"payments-{FIRST_DAY + timedelta(days=number)}.parquet": plain(world, number)
        for number in range(first, first + days)
    }


def plain(world: World, number: int) -> pd.DataFrame:
    labels = world.truth(number)[["transaction_id", "is_fraud"]]
    payments = world.transactions(number).merge(labels, on="transaction_id")
    whole, text = payments.select_dtypes("integer").columns, payments.select_dtypes("category").columns
    return payments.astype({**dict.fromkeys(whole, "int64"), **dict.fromkeys(text, str)})


def as_files(days: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    files = {}
    for name, payments in days.items():
        payments.to_parquet(buffer := io.BytesIO(), index=False)
        files[name] = buffer.getvalue()
    return files


def in_order(days: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """All payments, in the contract's order."""
    return pd.concat(days.values()).sort_values(["event_time", "transaction_id"], ignore_index=True)


def fingerprint(files: Mapping[str, bytes]) -> str:
    """The contract's fingerprint of a folder that holds these files."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
