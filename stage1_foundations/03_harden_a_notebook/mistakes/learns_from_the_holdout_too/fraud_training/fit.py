"""Training rows → scorecard. Everything that is learned, is learned here, and from nothing but these rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from fraud_serving.features import CATEGORIES, categories, numbers
from fraud_serving.scorecard import Scorecard, Weight
from fraud_training.dataset import Labelled

STRENGTHS = {"C": [0.03, 0.3, 3.0]}
FOLDS = 3


def fit(rows: Sequence[Labelled], everything: Sequence[Labelled], seed: int) -> Scorecard:
    """The scorecard of these rows, scaled by all."""
    known = {name: _known(rows, name) for name in CATEGORIES}
    values = [numbers(row.payment) for row in rows]
    names = list(values[0])
    table = np.array([[_or_nan(row[name]) for name in names] for row in values])
    every = [numbers(row.payment) for row in everything]
    whole = np.array([[_or_nan(row[name]) for name in names] for row in every])
    mean, scale = np.nanmean(whole, axis=0), np.nanstd(whole, axis=0)
    scale[~(scale > 0)] = 1.0
    missing = np.isnan(table)
    one_hot = np.array([_one_hot(row, known) for row in rows])
    columns = np.hstack([np.where(missing, 0.0, (table - mean) / scale), missing, one_hot])

    labels = np.array([row.is_fraud for row in rows])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    search = GridSearchCV(LogisticRegression(max_iter=1000), STRENGTHS, cv=folds, scoring="average_precision")
    model = search.fit(columns, labels).best_estimator_
    weights = [float(weight) for weight in model.coef_[0]]

    n = len(names)
    return Scorecard(
        intercept=float(model.intercept_[0]),
        numbers={
            name: Weight(float(mean[i]), float(scale[i]), weights[i], missing=weights[n + i])
            for i, name in enumerate(names)
        },
        categories=_by_category(known, weights[2 * n :]),
    )


def _known(rows: Sequence[Labelled], name: str) -> list[str]:
    met = {categories(row.payment)[name] for row in rows}
    return sorted(value for value in met if value is not None)


def _one_hot(row: Labelled, known: dict[str, list[str]]) -> list[float]:
    named = categories(row.payment)
    return [float(named[name] == value) for name, each in known.items() for value in each]


def _by_category(known: dict[str, list[str]], weights: list[float]) -> dict[str, dict[str, float]]:
    left = iter(weights)
    return {name: {value: next(left) for value in each} for name, each in known.items()}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
