"""The monitor of the `fraud` model: one healthy reference, then one day after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

# What the model reads. `feature_age_minutes` is not among them: it says how old the streamed features are.
FEATURES = (
    "amount_paise",
    "channel",
    "merchant_category",
    "hour_ist",
    "device_age_days",
    "payer_account_age_days",
    "payer_txn_count_24h",
    "payer_mean_amount_30d_paise",
    "payer_merchant_is_new",
    "distance_km",
)
STREAMED = ("feature_age_minutes", "payer_txn_count_24h")  # what the stream consumer writes
NIGHTLY = ("payer_account_age_days", "payer_mean_amount_30d_paise")  # what the nightly job writes


def begin(reference: pd.DataFrame, calendar: Sequence[Mapping[str, Any]], labels: pd.DataFrame) -> None:
    """Start to watch, from healthy days; forget whatever was watched before."""
    raise NotImplementedError("begin")


def observe(day: pd.DataFrame, today: Mapping[str, Any], labels: pd.DataFrame) -> list[dict[str, str | None]]:
    """Alerts for one day that has just ended, given the labels that arrived during it."""
    raise NotImplementedError("observe")
