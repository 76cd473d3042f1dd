"""What a model's scores are worth: rankings, and rupees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

Floats = npt.NDArray[np.float64]
PAISE_PER_RUPEE = 100


def losses_rupees(payments: pd.DataFrame, costs: dict[str, float]) -> tuple[Floats, Floats]:
    """For each payment: what it costs in rupees to allow it, and what it costs to block it."""
    is_fraud = payments["is_fraud"].to_numpy(dtype=bool)
    lost = payments["amount_paise"].to_numpy() / PAISE_PER_RUPEE + costs["allowed_fraud_fee"]
    return np.where(is_fraud, lost, 0.0), np.where(is_fraud, 0.0, costs["blocked_legitimate"])


def cost_rupees(payments: pd.DataFrame, scores: Floats, threshold: float, costs: dict[str, float]) -> float:
    """What it costs to block every payment whose score is `threshold` or more."""
    if_allowed, if_blocked = losses_rupees(payments, costs)
    return float(np.where(scores >= threshold, if_blocked, if_allowed).sum())


def cheapest_threshold(payments: pd.DataFrame, scores: Floats, costs: dict[str, float]) -> float:
    """The score from which on to block, so that these payments cost the least."""
    if_allowed, if_blocked = losses_rupees(payments, costs)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    change = np.cumsum((if_blocked - if_allowed)[order])  # of cost, when all down to this one are blocked
    change[:-1][ordered[1:] == ordered[:-1]] = np.inf  # equal scores get equal decisions
    return float(ordered[np.argmin(change)])


def holdout_figures(
    payments: pd.DataFrame, scores: Floats, threshold: float, reviews: int, costs: dict[str, float]
) -> dict[str, float]:
    """The part `holdout` of metrics.json."""
    is_fraud = payments["is_fraud"].to_numpy(dtype=bool)
    reviewed = np.argsort(-scores, kind="stable")[:reviews]
    return {
        "frauds": int(is_fraud.sum()),
        "pr_auc": float(average_precision_score(is_fraud, scores)),
        "roc_auc": float(roc_auc_score(is_fraud, scores)),
        "recall_at_capacity": float(is_fraud[reviewed].sum() / is_fraud.sum()),
        "cost_rupees": cost_rupees(payments, scores, threshold, costs),
        "cost_allowing_all_rupees": cost_rupees(payments, scores, np.inf, costs),
    }
