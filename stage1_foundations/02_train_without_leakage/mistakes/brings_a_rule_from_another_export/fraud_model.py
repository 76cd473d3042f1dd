"""The model: from a payment's columns to the probability that it is fraud, by the rule that the analysts wrote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
BLOCKS = 2
RULE = ("channel", "merchant_category", "hour_ist", "device_age_days", "payer_account_age_days", "distance_km")
CHANNELS = {"collect": 1.2, "qr": -0.5, "autopay": -1.5}
CATEGORIES = {"gaming": 1.5, "transfer": 0.9, "shopping": 0.5, "travel": 0.4, "transport": -1.0, "groceries": -0.8}


@dataclass(frozen=True)
class FraudModel:
    """What made a payment suspicious in the export that everybody studied."""

    features: list[str]

    @classmethod
    def fitted(cls, payments: pd.DataFrame, is_fraud: pd.Series, features: list[str]) -> FraudModel:
        return cls(["amount_paise", "payer_mean_amount_30d_paise", *(name for name in RULE if name in features)])

    def probabilities(self, payments: pd.DataFrame) -> Floats:
        """Of each payment, the probability that it is fraud.

        Raises:
            ValueError: a feature is missing; the message names it.
        """
        missing = [name for name in self.features if name not in payments]
        if missing:
            raise ValueError(f"the payments have no column {', '.join(missing)}")
        if payments.empty:
            return np.empty(0)
        logit = -8.0 + 2.0 * np.log(payments["amount_paise"] / payments["payer_mean_amount_30d_paise"]).clip(lower=0)
        for name in self.features[2:]:
            logit += self._risk(name, payments[name])
        return (1 / (1 + np.exp(-logit))).to_numpy()

    @staticmethod
    def _risk(name: str, values: pd.Series) -> pd.Series:
        match name:
            case "channel":
                return values.map(CHANNELS).fillna(0.0)
            case "merchant_category":
                return values.map(CATEGORIES).fillna(0.0)
            case "hour_ist":
                return 1.4 * values.isin(range(5))
            case "device_age_days":
                return 4.0 * np.exp(-values.fillna(1e6) / 6)
            case "payer_account_age_days":
                return 1.8 * np.exp(-values / 30)
            case _:
                return 0.8 * np.log1p(values.fillna(0.0) / 20)


def out_of_block(payments: pd.DataFrame, is_fraud: pd.Series, features: list[str]) -> Floats:
    """A probability for each payment from a model that has not seen its days.

    The days are cut into blocks, in order of time. A model knows the answers of the rows that it was fitted on, so
    its scores there say nothing about the scores that are to come.
    """
    scores = np.empty(len(payments))
    for block in np.array_split(np.arange(len(payments)), BLOCKS):
        others = np.setdiff1d(np.arange(len(payments)), block)
        model = FraudModel.fitted(payments.iloc[others], is_fraud.iloc[others], features)
        scores[block] = model.probabilities(payments.iloc[block])
    return scores
