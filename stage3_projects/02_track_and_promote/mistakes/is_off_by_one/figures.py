"""What scores are worth: average precision over all payments and by slice, and rupees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score

from settings import BLOCKED_LEGITIMATE_RUPEES, PAISE_PER_RUPEE, SLICE_COLUMNS

Floats = npt.NDArray[np.float64]


def pr_auc(payments: pd.DataFrame, scores: Floats) -> float:
    """Average precision of `scores` for the payments' `is_fraud`."""
    return float(average_precision_score(payments["is_fraud"], scores))


def pr_auc_by_slice(payments: pd.DataFrame, scores: Floats, least_frauds: int) -> dict[str, float]:
    """PR AUC of each slice that has at least `least_frauds`, by its name, such as `channel.collect`."""
    return {
        name: pr_auc(payments[rows], scores[rows])
        for name, rows in slices(payments)
        if payments["is_fraud"][rows].sum() > least_frauds
    }


def slices(payments: pd.DataFrame) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Each value of the slice columns: its name, and which payments have it."""
    for column in SLICE_COLUMNS:
        for value in sorted(payments[column].unique()):
            yield f"{column}.{value}", (payments[column] == value).to_numpy()


def cost_rupees(payments: pd.DataFrame, scores: Floats, threshold: float) -> float:
    """Rupees that it costs to block every payment from `threshold` on."""
    if_allowed, if_blocked = losses_rupees(payments)
    return float(np.where(scores > threshold, if_blocked, if_allowed).sum())


def cheapest_threshold(payments: pd.DataFrame, scores: Floats) -> float:
    """The score from which on to block, so that these payments cost the least."""
    if_allowed, if_blocked = losses_rupees(payments)
    order = np.argsort(-scores, kind="stable")
    saved = np.cumsum((if_allowed - if_blocked)[order])
    return float(scores[order][int(np.argmax(saved))])


def losses_rupees(payments: pd.DataFrame) -> tuple[Floats, Floats]:
    """For each payment: what it costs in rupees to allow it, and to block it."""
    is_fraud = payments["is_fraud"].to_numpy(dtype=bool)
    amount = payments["amount_paise"].to_numpy() / PAISE_PER_RUPEE
    return np.where(is_fraud, amount, 0.0), np.where(is_fraud, 0.0, BLOCKED_LEGITIMATE_RUPEES)
