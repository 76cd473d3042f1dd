"""The figures that metrics.json must hold, and what a score is worth when the true probabilities are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

Floats = npt.NDArray[np.float64]
PAISE_PER_RUPEE = 100


def ranking_figures(payments: pd.DataFrame, scores: Floats, reviewed: int) -> tuple[dict[str, float], ...]:
    """pr_auc, roc_auc and the recall among the `reviewed` highest scores: the least and the most that they can be.

    They differ only where equal scores stand at the end of the reviewed ones.
    """
    is_fraud = payments["is_fraud"].to_numpy(dtype=bool)
    same = {
        "pr_auc": float(average_precision_score(is_fraud, scores)),
        "roc_auc": float(roc_auc_score(is_fraud, scores)),
    }
    orders = np.lexsort((is_fraud, -scores)), np.lexsort((~is_fraud, -scores))
    recalls = (float(is_fraud[order[:reviewed]].sum() / is_fraud.sum()) for order in orders)
    return tuple({**same, "recall_at_capacity": recall} for recall in recalls)


def cost_rupees(payments: pd.DataFrame, blocked: npt.NDArray[np.bool_], costs: dict[str, int]) -> float:
    """What these decisions cost, given the labels."""
    is_fraud = payments["is_fraud"].to_numpy(dtype=bool)
    return expected_cost_rupees(is_fraud.astype(np.float64), payments["amount_paise"], blocked, costs)


def expected_cost_rupees(
    probability: Floats, amount_paise: pd.Series, blocked: npt.NDArray[np.bool_], costs: dict[str, int]
) -> float:
    """What these decisions cost on average, over all the labels that could have come."""
    if_allowed, if_blocked = _per_payment(probability, amount_paise, costs)
    return float(np.where(blocked, if_blocked, if_allowed).sum())


def cheapest(
    probability: Floats, amount_paise: pd.Series, scores: Floats, costs: dict[str, int]
) -> tuple[float, float]:
    """The least expected cost that any one threshold on these scores could have, and that threshold."""
    if_allowed, if_blocked = _per_payment(probability, amount_paise, costs)
    order = np.argsort(-scores, kind="stable")
    totals = if_allowed.sum() + np.concatenate(([0.0], np.cumsum((if_blocked - if_allowed)[order])))
    ordered = scores[order]
    totals[1:-1][ordered[1:] == ordered[:-1]] = np.inf  # equal scores get equal decisions
    first = int(np.argmin(totals))
    return float(totals[first]), float(ordered[first - 1]) if first else np.inf


def expected_pr_auc(probability: Floats, scores: Floats) -> float:
    """Average precision over all the labels that could have come: each row is fraud with its weight, and not."""
    labels = np.repeat([1, 0], len(scores))
    weights = np.concatenate((probability, 1 - probability))
    return float(average_precision_score(labels, np.concatenate((scores, scores)), sample_weight=weights))


def _per_payment(
    probability: Floats, amount_paise: pd.Series, costs: dict[str, int]
) -> tuple[Floats, Floats]:
    lost = amount_paise.to_numpy() / PAISE_PER_RUPEE + costs["allowed_fraud_fee"]
    return probability * lost, (1 - probability) * costs["blocked_legitimate"]


@dataclass(frozen=True)
class Worth:
    """Shares of the rupees that the best possible scores at their best threshold would save."""

    saved: float  # with the threshold that was chosen
    possible: float  # with the best threshold for these scores
    too: str  # "high" or "low": where the chosen threshold lies, seen from the best one


def share_saved(payments: pd.DataFrame, scores: Floats, threshold: float, costs: dict[str, int]) -> Worth:
    """What these scores are worth on these payments, over all the labels that could have come."""
    probability, amount = payments["fraud_probability"].to_numpy(), payments["amount_paise"]
    nobody = np.zeros(len(payments), dtype=bool)
    allowing_all = expected_cost_rupees(probability, amount, nobody, costs)
    best, _ = cheapest(probability, amount, probability, costs)
    own = expected_cost_rupees(probability, amount, scores >= threshold, costs)
    own_best, at = cheapest(probability, amount, scores, costs)
    can_save = allowing_all - best
    too = "high" if threshold > at else "low"
    return Worth((allowing_all - own) / can_save, (allowing_all - own_best) / can_save, too)
