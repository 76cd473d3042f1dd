"""The on-demand feature: the one definition that training and serving both use."""

from __future__ import annotations

import pandas as pd

PAISE_PER_RUPEE = 100


def amount_to_mean(amount_paise: pd.Series, mean_paise: pd.Series) -> pd.Series:
    """How many times the payer's usual amount this payment is. Null where the mean is not known, or zero."""
    mean = pd.to_numeric(mean_paise, errors="coerce").astype("float64")
    return amount_paise.astype("float64") / mean.where(mean > 0)
