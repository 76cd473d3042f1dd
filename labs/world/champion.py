"""The model in production: a plain additive scorecard, good but not the best, that anybody can read.

It is not the labs' answer: it knows no interactions, nothing of merchants, and puts ages into two buckets.
Its weights were fitted on clean days with `python benchmarks/world.py champion`, then rounded.
"""

from __future__ import annotations

import numpy as np

from labs.world.draws import Columns, Floats

CHANNEL_WEIGHTS = np.array([-0.5, 0.0, 2.1, -0.1, 0.0])  # the last is for a value it was never trained on
CATEGORY_WEIGHTS = np.array([-1.7, -1.4, -1.1, -1.5, -0.5, -0.6, 0.4, -0.1, -0.8])
MISSING = {"device_age_days": 200.0, "distance_km": 2.5, "payer_mean_amount_30d_paise": 20_000.0}
TERMS = ("intercept", "dear", "new_merchant", "young_device", "young_account", "far", "busy", "night")
WEIGHTS = np.array([-8.5, 1.4, 2.5, 3.4, 1.8, 0.6, 0.1, 1.0])


def terms(columns: Columns) -> Floats:
    """The scorecard's inputs (rows × 8, in the order of `TERMS`) from the features as seen; missing values
    are filled in."""
    device = _filled(columns, "device_age_days")
    hour = columns["hour_ist"]
    ratio = np.log(np.maximum(columns["amount_paise"], 1) / _filled(columns, "payer_mean_amount_30d_paise"))
    return np.column_stack([
        np.ones(hour.size),
        np.clip(ratio, 0.0, 5.0),
        columns["payer_merchant_is_new"],
        device < 7,
        columns["payer_account_age_days"] < 30,
        np.log1p(_filled(columns, "distance_km") / 20),
        np.log1p(columns["payer_txn_count_24h"]),
        (hour < 5) | (hour == 23),
    ])  # fmt: skip


def champion_score(columns: Columns) -> Floats:
    """The champion's fraud score, in (0, 1), for each row of the features as seen."""
    logit = terms(columns) @ WEIGHTS
    logit += CHANNEL_WEIGHTS[columns["channel"]] + CATEGORY_WEIGHTS[columns["merchant_category"]]
    return np.asarray(1 / (1 + np.exp(-logit)))


def misbuilt_score(columns: Columns, severity: float) -> Floats:
    """The score of the bad deploy: the same model reading two exchanged columns, blended in by `severity`."""
    exchanged = dict(columns)
    exchanged["device_age_days"] = _filled(columns, "distance_km")
    exchanged["distance_km"] = _filled(columns, "device_age_days")
    wrong, right = champion_score(exchanged), champion_score(columns)
    return np.asarray(severity * wrong + (1 - severity) * right)


def _filled(columns: Columns, name: str) -> Floats:
    values = columns[name]
    return np.where(np.isnan(values), MISSING[name], values)
