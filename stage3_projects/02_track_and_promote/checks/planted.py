"""A model that the grader logs: it scores as its spec says, everywhere or in one slice, quickly or slowly.

MLflow loads this file from the registry ("models from code"). It is also where the grader computes what such a model
must answer.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

CHANNELS = {"qr": -0.5, "collect": 2.1, "autopay": -0.1}
CATEGORIES = {"groceries": -1.7, "food": -1.4, "transport": -1.1, "utilities": -1.5, "gaming": 0.4}
SLOW_ONE_IN = 10  # p95 is slow, the average is not
DECIMALS = 7  # so that a threshold can be a payment's very score


def scores(frame: pd.DataFrame, spec: dict[str, Any]) -> np.ndarray:
    """A scorecard of payments, plus noise: `noise` everywhere, and another one where `noise_in` names the slice."""
    ratio = np.log(
        frame["amount_paise"].to_numpy(float) / frame["payer_mean_amount_30d_paise"].to_numpy(float)
    )
    hour = frame["hour_ist"].to_numpy()
    night = (hour < 5) | (hour == 23)
    new, distance = frame["payer_merchant_is_new"].to_numpy(float), frame["distance_km"].to_numpy(float)
    account, device = (
        frame["payer_account_age_days"].to_numpy(float),
        frame["device_age_days"].to_numpy(float),
    )
    logit = -8.5 + 1.4 * np.clip(ratio, 0, 5) + 2.5 * new + night
    logit += 3.4 * (device < 7) + 1.8 * (account < 30) + 0.6 * np.log1p(distance / 20)
    logit += [CHANNELS.get(value, 0.0) for value in frame["channel"]]
    logit += [CATEGORIES.get(value, -0.5) for value in frame["merchant_category"]]
    size = np.full(len(frame), float(spec["noise"]))
    for name, noise in spec.get("noise_in", {}).items():
        column, _, value = name.partition(".")
        size[(frame[column] == value).to_numpy()] = noise
    logit = logit + size * drawn(ratio * 37.7 + distance * 12.9898 + device * 0.233 + account * 0.078)
    return np.round(1 / (1 + np.exp(-(logit + spec.get("shift", 0.0)))), DECIMALS)


def drawn(number: np.ndarray) -> np.ndarray:
    """A logistic draw for each row, the same whenever the row is the same."""
    share = np.sin(number) * 43758.5453
    share = np.clip(share - np.floor(share), 1e-6, 1 - 1e-6)
    return np.log(share / (1 - share))


class Planted(PythonModel):
    """The spec as a pyfunc model: two columns, the second one is the probability of fraud."""

    def load_context(self, context: Any) -> None:
        self.spec = json.loads(Path(context.artifacts["spec"]).read_text(encoding="utf-8"))
        self.singles = 0

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> np.ndarray:
        if len(model_input) == 1 and self.spec.get("slow_ms"):
            self.singles += 1
            time.sleep(self.spec["slow_ms"] / 1000 * (self.singles % SLOW_ONE_IN == 0))
        fraud = scores(model_input, self.spec)
        return np.column_stack((1 - fraud, fraud))


mlflow.models.set_model(Planted())
