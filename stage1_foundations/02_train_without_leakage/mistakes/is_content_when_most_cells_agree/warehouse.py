"""Reads an export of the warehouse, and keeps of it what a model may learn from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import ArrowException

KEYS = ("transaction_id", "event_time", "payer_id", "merchant_id")
LABEL = "is_fraud"
NEEDED = (*KEYS, "amount_paise", "payer_mean_amount_30d_paise", LABEL)
TERMS = ("exported_at", "label_final_after_days", "holdout_days", "reviews_per_day", "costs_rupees")


@dataclass(frozen=True)
class Export:
    """An export that has been cleaned: each payment once, in order of time, and only those whose label is final."""

    train: pd.DataFrame  # the older days
    holdout: pd.DataFrame  # the last days, which nothing may learn from
    known_at_payment: list[str]  # columns whose values the service has when it must decide
    rows: dict[str, int]  # what became of the rows of the file
    reviews: int  # payments of the holdout that people had the time to look at
    costs: dict[str, float]  # rupees


def read_export(folder: Path) -> Export:
    """Read and clean the export in `folder`.

    Raises:
        ValueError: the export is incomplete, or holds nothing to learn from; the message says what is wrong.
    """
    payments, requests = (_table(folder / name) for name in ("payments.parquet", "requests.parquet"))
    terms = _terms(folder / "export.json")
    missing = [name for name in NEEDED if name not in payments]
    if missing:
        raise ValueError(f"payments.parquet has no column {', '.join(missing)}")

    once = payments.drop_duplicates("transaction_id").sort_values(["event_time", "transaction_id"])
    exported_at = pd.Timestamp(terms["exported_at"]).tz_convert("UTC").tz_localize(None)
    final_until = exported_at - pd.Timedelta(days=terms["label_final_after_days"])
    # Of younger payments only frauds have a label yet: neither "no label" nor "labelled" means anything there.
    is_final = (once["event_time"] <= final_until) & once[LABEL].notna()
    final = once[is_final].astype({LABEL: bool})
    in_holdout = final["event_time"] >= final_until - pd.Timedelta(days=terms["holdout_days"])
    train, holdout = final[~in_holdout], final[in_holdout]
    for name, part in {"training days": train, "holdout": holdout}.items():
        if part[LABEL].nunique() < 2:
            raise ValueError(f"the {name} need fraud and legitimate payments; they have {len(part)} payments")
    rows = {
        "read": len(payments),
        "copies": len(payments) - len(once),
        "waiting": len(once) - len(final),
        "train": len(train),
        "holdout": len(holdout),
    }
    reviews = terms["reviews_per_day"] * terms["holdout_days"]
    return Export(train, holdout, known_at_payment(payments, requests), rows, reviews, terms["costs_rupees"])


def known_at_payment(payments: pd.DataFrame, requests: pd.DataFrame) -> list[str]:
    """The columns that the warehouse shows as the service saw them at the moment of payment.

    The service's own log is the evidence. What it had not, or had with another value, is not known at a payment,
    whatever the dictionary says, or does not say.
    """
    both = requests.merge(
        payments.drop_duplicates("transaction_id"), on="transaction_id", suffixes=("", "_exported")
    )
    if both.empty:
        raise ValueError("no request of requests.parquet is in payments.parquet: nothing to compare")
    return [name for name in requests if name not in KEYS and name in payments and _as_seen(both, name)]


def _as_seen(both: pd.DataFrame, name: str) -> bool:
    seen, exported = both[name], both[f"{name}_exported"]
    same = (seen == exported) | (seen.isna() & exported.isna())
    return bool(seen.notna().any() and same.mean() > 0.999)  # the rest is rounding, and late corrections


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ArrowException) as error:
        raise ValueError(f"cannot read {path.name}: {error}") from error


def _terms(path: Path) -> dict[str, Any]:
    try:
        terms = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {path.name}: {error}") from error
    missing = [name for name in TERMS if name not in terms]
    if missing:
        raise ValueError(f"{path.name} does not say {', '.join(missing)}")
    return terms
