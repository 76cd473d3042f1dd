"""Payments, as they stand in the CSV files of data/."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

CHANNELS = ("collect", "intent", "qr")


@dataclass(frozen=True)
class Payment:
    """One payment. `hour_ist` is from 0 to 23; `is_fraud` is known weeks later."""

    transaction_id: str
    amount_paise: int
    hour_ist: int
    payer_age_days: int
    channel: str
    is_fraud: bool


def read(path: Path) -> list[Payment]:
    """All payments of a file. Raises ValueError for a row that is none."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Payment(
                transaction_id=row["transaction_id"],
                amount_paise=int(row["amount_paise"]),
                hour_ist=int(row["hour_ist"]),
                payer_age_days=int(row["payer_age_days"]),
                channel=row["channel"],
                is_fraud=row["is_fraud"] == "1",
            )
            for row in csv.DictReader(file)
        ]
