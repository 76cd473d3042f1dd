"""The rules by which a challenger becomes champion. No input, no output: figures in, reasons out."""

from __future__ import annotations

from candidate import Evaluation

SLICE_MAY_FALL = 0.02
COST_MAY_GROW = 1.05
LATENCY_MAY_GROW_MS = 200.0
FIRST_PR_AUC_TIMES_FRAUD_SHARE = 5.0


def against_champion(challenger: Evaluation, champion: Evaluation) -> list[str]:
    """Every rule that the challenger breaks."""
    reasons = []
    if challenger.pr_auc <= champion.pr_auc:
        reasons.append("pr_auc")
    if challenger.cost_rupees > champion.cost_rupees * COST_MAY_GROW:
        reasons.append("cost")
    if challenger.p95_ms > champion.p95_ms + LATENCY_MAY_GROW_MS:
        reasons.append("latency")
    for name, best in champion.slices.items():
        if challenger.slices[name] < best - SLICE_MAY_FALL:
            reasons.append(f"slice.{name}")
    return reasons


def as_the_first(challenger: Evaluation, fraud_share: float) -> list[str]:
    """With nobody to compare with: it must rank frauds much better than chance does."""
    return ["pr_auc"] if challenger.pr_auc < FIRST_PR_AUC_TIMES_FRAUD_SHARE * fraud_share else []
