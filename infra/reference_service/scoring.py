"""One transaction through the champion, the scorecard that the world's own service uses."""

from __future__ import annotations

import numpy as np

from labs.world.champion import champion_score
from labs.world.population import CATEGORIES, CHANNELS
from reference_service.schemas import Transaction

# The scorecard's last weight is for a name that it was never trained on.
CHANNEL_CODES = {name: code for code, name in enumerate(CHANNELS)}
CATEGORY_CODES = {name: code for code, name in enumerate(CATEGORIES)}


def score(transaction: Transaction) -> float:
    """The probability of fraud, 0 to 1."""
    row = transaction
    columns = {
        "amount_paise": np.array([row.amount_paise], dtype=np.float64),
        "channel": np.array([CHANNEL_CODES.get(row.channel, len(CHANNELS))]),
        "merchant_category": np.array([CATEGORY_CODES.get(row.merchant_category, len(CATEGORIES))]),
        "hour_ist": np.array([row.hour_ist]),
        "payer_account_age_days": np.array([row.payer_account_age_days]),
        "payer_txn_count_24h": np.array([row.payer_txn_count_24h], dtype=np.float64),
        "payer_mean_amount_30d_paise": np.array([_or_nan(row.payer_mean_amount_30d_paise)]),
        "payer_merchant_is_new": np.array([row.payer_merchant_is_new], dtype=np.float64),
        "device_age_days": np.array([_or_nan(row.device_age_days)]),
        "distance_km": np.array([_or_nan(row.distance_km)]),
    }
    return float(champion_score(columns)[0])


def problems(transaction: Transaction) -> list[tuple[str, str]]:
    """(feature, what is wrong with it) for each value that the model was not trained on."""
    found = [
        (name, "missing")
        for name in ("payer_mean_amount_30d_paise", "device_age_days", "distance_km")
        if getattr(transaction, name) is None
    ]
    if transaction.channel not in CHANNEL_CODES:
        found.append(("channel", "unknown"))
    if transaction.merchant_category not in CATEGORY_CODES:
        found.append(("merchant_category", "unknown"))
    return found


def _or_nan(value: float | None) -> float:
    # A mean of 0 would be divided by; nobody with a mean has paid nothing.
    return np.nan if value is None or value == 0 else value
