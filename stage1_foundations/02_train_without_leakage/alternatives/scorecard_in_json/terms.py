"""The terms of the scorecard: what analysts know of fraud, written down. NumPy and plain columns only."""

import numpy as np

CHANNELS = ("qr", "collect", "autopay")
CATEGORIES = ("food", "transport", "utilities", "shopping", "travel", "gaming", "transfer")
ALWAYS = (
    "amount_paise",
    "payer_mean_amount_30d_paise",
    "hour_ist",
    "device_age_days",
    "payer_account_age_days",
    "payer_txn_count_24h",
    "distance_km",
    "channel",
    "merchant_category",
)


def numbers(frame, name):
    return np.nan_to_num(np.asarray(frame[name], dtype=float), nan=1e6 if name == "device_age_days" else 0.0)


def terms(frame, opinions):
    """rows × terms. `opinions` are the numeric columns that only this export has."""
    dear = np.log(np.maximum(numbers(frame, "amount_paise"), 1)) - np.log(
        np.maximum(numbers(frame, "payer_mean_amount_30d_paise"), 1)
    )
    dear = np.clip(dear, 0, 6)
    hour = numbers(frame, "hour_ist")
    night = (hour < 5) + 0.5 * ((hour == 5) | (hour == 23))
    phone = np.exp(-numbers(frame, "device_age_days") / 6)
    young = np.exp(-numbers(frame, "payer_account_age_days") / 30)
    far = np.log1p(np.maximum(numbers(frame, "distance_km"), 0) / 20)
    busy = np.log1p(numbers(frame, "payer_txn_count_24h"))
    channel, category = (np.asarray(frame[name], dtype=object) for name in ("channel", "merchant_category"))
    collect = (channel == "collect").astype(float)
    columns = [
        dear,
        night,
        phone,
        young,
        far,
        dear * phone,
        phone * young,
        far * night,
        busy * young,
        phone * collect,
    ]
    columns += [channel == known for known in CHANNELS] + [category == known for known in CATEGORIES]
    columns += [np.log1p(1000 * np.maximum(numbers(frame, name), 0)) for name in opinions]
    return np.column_stack([np.ones(len(frame)), *columns]).astype(float)
