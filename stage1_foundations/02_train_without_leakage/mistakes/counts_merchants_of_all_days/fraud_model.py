"""The model: from a payment's columns to the probability that it is fraud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

Floats = npt.NDArray[np.float64]
SEED = 20260121
BLOCKS = 2


@dataclass(frozen=True)
class FraudModel:
    """Gradient boosting, and all that it needs to know of the days on which it was trained."""

    features: list[str]
    categories: dict[str, list[str]]  # of text columns: the values of the training days
    sales: dict[int, int]  # of merchants: how many payments they had
    trees: HistGradientBoostingClassifier

    @classmethod
    def fitted(
        cls, payments: pd.DataFrame, is_fraud: pd.Series, features: list[str], sales: dict[int, int]
    ) -> FraudModel:
        texts = [name for name in features if not pd.api.types.is_numeric_dtype(payments[name])]
        categories = {name: sorted(payments[name].dropna().unique()) for name in texts}
        trees = HistGradientBoostingClassifier(
            learning_rate=0.12,
            max_iter=40,
            max_leaf_nodes=8,
            min_samples_leaf=40,
            l2_regularization=5.0,
            early_stopping=False,
            random_state=SEED,
        )
        model = cls(features, categories, sales, trees)
        trees.fit(model._columns(payments), is_fraud)
        return model

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
        return self.trees.predict_proba(self._columns(payments))[:, 1]

    def _columns(self, payments: pd.DataFrame) -> Floats:
        """Numbers as they are, texts by their place in the alphabet (unknown: NaN), and the amount in usual amounts."""
        columns = [
            pd.Categorical(payments[name], categories=self.categories[name]).codes.astype(np.float64)
            if name in self.categories
            else payments[name].map(self.sales).to_numpy(dtype=np.float64, na_value=np.nan)
            if name == "merchant_id"
            else payments[name].to_numpy(dtype=np.float64, na_value=np.nan)
            for name in self.features
        ]
        usual = payments["payer_mean_amount_30d_paise"].to_numpy(dtype=np.float64, na_value=np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns.append(payments["amount_paise"].to_numpy(dtype=np.float64, na_value=np.nan) / usual)
        return np.column_stack(columns)


def out_of_block(
    payments: pd.DataFrame, is_fraud: pd.Series, features: list[str], sales: dict[int, int]
) -> Floats:
    """A probability for each payment from a model that has not seen its days.

    The days are cut into blocks, in order of time. A model knows the answers of the rows that it was fitted on, so
    its scores there say nothing about the scores that are to come.
    """
    scores = np.empty(len(payments))
    for block in np.array_split(np.arange(len(payments)), BLOCKS):
        others = np.setdiff1d(np.arange(len(payments)), block)
        model = FraudModel.fitted(payments.iloc[others], is_fraud.iloc[others], features, sales)
        scores[block] = model.probabilities(payments.iloc[block])
    return scores
