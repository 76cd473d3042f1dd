"""Raw rows on disk → labelled payments in one order, and the split by days in India."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fraud_serving.payment import Payment, RefusedRow, payment_of, record_of


@dataclass(frozen=True, slots=True)
class Labelled:
    payment: Payment
    is_fraud: bool

    @property
    def day(self) -> date:
        """The day in India. A payment at 18:31 UTC belongs to the next one."""
        return self.payment.at.date()


@dataclass(frozen=True)
class Split:
    train: list[Labelled]
    holdout: list[Labelled]


def read_folder(folder: Path) -> tuple[list[Labelled], int]:
    """All rows of the folder's *.jsonl files in order of transaction_id, and how many were refused.

    Sums of floats depend on their order, and shuffles on positions; so the order may not come from the disk.
    """
    rows: list[Labelled] = []
    refused = 0
    for file in folder.glob("*.jsonl"):
        with file.open("rb") as lines:
            for line in lines:
                try:
                    rows.append(_labelled(line))
                except RefusedRow:
                    refused += 1
    rows.sort(key=lambda row: row.payment.transaction_id)
    return rows, refused


def _labelled(line: bytes) -> Labelled:
    record = record_of(line)
    is_fraud = record.get("is_fraud")
    if not isinstance(is_fraud, bool):
        raise RefusedRow("is_fraud is neither true nor false")
    payment = payment_of(record)
    if None in (payment.device_age_days, payment.payer_mean_amount_30d_paise, payment.distance_km):
        raise RefusedRow("a feature is missing")
    return Labelled(payment, is_fraud)


def split(rows: Sequence[Labelled], holdout_days: int) -> Split:
    """The last `holdout_days` days, counted in India, are the holdout. Days without rows do not count."""
    held = set(sorted({row.day for row in rows})[-holdout_days:])
    return Split([row for row in rows if row.day not in held], [row for row in rows if row.day in held])


def fingerprint(rows: Sequence[Labelled]) -> str:
    """A name for a set of labelled rows, whatever their order: two models are compared on the same rows only."""
    lines = sorted(f"{row.payment.transaction_id}:{row.is_fraud}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
