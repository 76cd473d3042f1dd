"""Judges a model by the days that came after its export. Only practice has them: data/later_days.parquet.

python later_days.py --data data --model model

It knows each payment's true probability of fraud, so the figures are free of luck. They are averages over all the
labels that could have come.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score

from score import score

Floats = npt.NDArray[np.float64]


def expected_pr_auc(probability: Floats, scores: Floats) -> float:
    """Each payment counts twice: as a fraud with its probability as weight, and as legitimate with the rest."""
    labels = np.repeat([1, 0], len(scores))
    weights = np.concatenate((probability, 1 - probability))
    return float(average_precision_score(labels, np.tile(scores, 2), sample_weight=weights))


def expected_costs(payments: pd.DataFrame, blocked: npt.NDArray[np.bool_], costs: dict[str, float]) -> float:
    """Rupees that these decisions cost on average."""
    probability = payments["fraud_probability"].to_numpy()
    if_allowed = probability * (payments["amount_paise"].to_numpy() / 100 + costs["allowed_fraud_fee"])
    return float(np.where(blocked, (1 - probability) * costs["blocked_legitimate"], if_allowed).sum())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    given = parser.parse_args()
    payments = pd.read_parquet(given.data / "later_days.parquet")
    costs = json.loads((given.data / "export.json").read_text(encoding="utf-8"))["costs_rupees"]
    metrics = json.loads((given.model / "metrics.json").read_text(encoding="utf-8"))
    probability = payments["fraud_probability"].to_numpy()
    scores = np.asarray(score(str(given.model), payments.drop(columns="fraud_probability")), dtype=np.float64)

    found, best = expected_pr_auc(probability, scores), expected_pr_auc(probability, probability)
    print(f"PR AUC     metrics.json says       {metrics['holdout']['pr_auc']:>8.3f}")
    print(
        f"           on later days           {found:>8.3f}   {found / best:.0%} of the best possible {best:.3f}"
    )
    thresholds = [metrics["threshold"], *np.quantile(scores, np.linspace(0.9, 1, 201))]
    by_threshold = [expected_costs(payments, scores >= threshold, costs) for threshold in thresholds]
    ideal = [probability >= threshold for threshold in np.quantile(probability, np.linspace(0.9, 1, 201))]
    for name, rupees in {
        "allowing all": expected_costs(payments, np.zeros(len(payments), dtype=bool), costs),
        "your threshold": by_threshold[0],
        "your cheapest threshold": min(by_threshold),
        "the best possible": min(expected_costs(payments, blocked, costs) for blocked in ideal),
    }.items():
        print(
            f"{'₹ per day' if name == 'allowing all' else '':<10} {name:<24}{rupees / days(payments):>8,.0f}"
        )


def days(payments: pd.DataFrame) -> float:
    return (payments["event_time"].max() - payments["event_time"].min()) / pd.Timedelta(days=1)


if __name__ == "__main__":
    main()
