"""The model: a logistic regression with weights in a JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from fraudscore.payments import Payment

WEIGHTS = Path("model/weights.json")


def features(payment: Payment) -> dict[str, float]:
    """What the model sees of a payment, by name."""
    return {
        "bias": 1.0,
        "log_amount": math.log10(payment.amount_paise) - 5.0,
        "is_night": float(payment.hour_ist < 6),
        "is_new_payer": float(payment.payer_age_days < 30),
        "is_collect": float(payment.channel == "collect"),
    }


def load(path: Path = WEIGHTS) -> dict[str, float]:
    """Weights by the names of the features."""
    return {name: float(weight) for name, weight in json.loads(path.read_text()).items()}


def score(payment: Payment, weights: Mapping[str, float]) -> float:
    """Probability of fraud, from 0 to 1."""
    total = sum(weights[name] * value for name, value in features(payment).items())
    return 1.0 / (1.0 + math.exp(-total))
