"""The terms of the scorecard: numbers on a logarithmic scale, hours and texts as yes or no. NumPy only."""

import numpy as np

CHANNELS = ("qr", "collect", "autopay")
CATEGORIES = ("food", "transport", "utilities", "shopping", "travel", "gaming", "transfer")
ALWAYS = ("amount_paise", "payer_mean_amount_30d_paise", "hour_ist", "channel", "merchant_category")
HOURS = tuple(range(0, 24, 2))


def logs(frame, name):
    """log(1 + x), and nothing for a gap."""
    return np.log1p(np.maximum(np.nan_to_num(np.asarray(frame[name], dtype=float)), 0))


def terms(frame, numbers):
    """rows × terms. `numbers` are the numeric columns that tell the truth in this export."""
    ratio = logs(frame, "amount_paise") - logs(frame, "payer_mean_amount_30d_paise")
    hour = np.asarray(frame["hour_ist"]) // 2 * 2
    channel, category = (np.asarray(frame[name], dtype=object) for name in ("channel", "merchant_category"))
    columns = [np.maximum(ratio, 0), np.minimum(ratio, 0)]
    columns += [hour == first for first in HOURS]
    columns += [channel == known for known in CHANNELS] + [category == known for known in CATEGORIES]
    columns += [
        np.log(np.maximum(np.nan_to_num(np.asarray(frame[name], dtype=float)), 0) + 1e-3) for name in numbers
    ]
    return np.column_stack([np.ones(len(frame)), *columns]).astype(float)
