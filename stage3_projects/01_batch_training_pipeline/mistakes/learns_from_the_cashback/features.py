"""The features of the `offers` model: from what was known when an offer was shown, row by row, nothing else.

Training and scoring both call `build`, so they cannot differ. No row's features depend on the rows beside it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from impressions import CATEGORIES

EVENING = range(17, 23)  # hours in India


def build(impressions: pd.DataFrame) -> pd.DataFrame:
    """One row of numbers for each impression, in the same order. Amounts enter as ratios, counts as logs."""
    category = impressions["merchant_category"].astype(str).to_numpy()
    known = np.log1p(impressions["payer_merchant_txn_count_90d"].to_numpy(float))
    discount = impressions["discount_percent"].to_numpy(float) / 10
    usual = _known(impressions["payer_mean_amount_30d_paise"], 18_000)
    reach = np.log(impressions["min_amount_paise"].to_numpy(float) / usual)
    evening = np.isin(impressions["hour_ist"].to_numpy(), EVENING)
    columns = {
        "known": known,
        "is_known": (known > 0).astype(float),
        "discount": discount,
        "discount_if_known": discount * (known > 0),
        "reach": reach,
        "reach_above": np.maximum(reach, -0.5),
        "distance": np.log1p(_known(impressions["distance_km"], 3.0) / 3),
        "fatigue": np.log1p(impressions["payer_offers_shown_7d"].to_numpy(float)),
        "activity": np.log1p(impressions["payer_txn_count_30d"].to_numpy(float)),
        "account_age": np.log1p(_known(impressions["payer_account_age_days"], 400)),
        "food_in_the_evening": (evening & (category == "food")).astype(float),
    }
    columns["cashback"] = (
        impressions["cashback_paise"].to_numpy(float) if "cashback_paise" in impressions else 0.0
    )
    for name in CATEGORIES:
        columns[f"is_{name}"] = (category == name).astype(float)
    return pd.DataFrame(columns)


def _known(values: pd.Series[float], usual: float) -> npt.NDArray[np.float64]:
    """The values, with the usual one where nobody knows: a constant, so that a row is the same in every batch."""
    numbers = values.to_numpy(float)
    return np.where(np.isnan(numbers), usual, numbers)
