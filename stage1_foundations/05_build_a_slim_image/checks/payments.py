"""Payments to score: some of them make each rule fire."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from working_copy import WorkingCopy


def draw_payments(rng: np.random.Generator, copy: WorkingCopy, count: int) -> list[dict[str, Any]]:
    return [
        {
            "amount_paise": int(rng.integers(500_000, 2_000_000) if i % 2 else rng.integers(1, 400_000)),
            "hour_ist": int(rng.integers(0, 24)),
            "payer_account_age_days": round(float(rng.uniform(0, 1) if i % 3 else rng.uniform(30, 2000)), 2),
            "payer_txn_count_24h": copy.most_payments + int(rng.integers(-3, 4)),
        }
        for i in range(count)
    ]


def same_answer(body: str, wanted: dict[str, Any]) -> bool:
    """Whether a reply's body is the wanted answer; probabilities within 0.000002."""
    try:
        got = json.loads(body)
        close = abs(float(got["fraud_probability"]) - wanted["fraud_probability"]) < 2e-6
        return bool(close and got["rules"] == wanted["rules"])
    except (ValueError, KeyError, TypeError):
        return False
