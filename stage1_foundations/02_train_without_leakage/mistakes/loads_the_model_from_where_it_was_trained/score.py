"""Scores payments with a model that train.py has left. This is what the fraud service calls."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd

MODEL = Path("model/model.joblib")


def score(model: str, payments: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Of each payment, the probability that it is fraud, by the model in the folder `model`.

    Raises:
        ValueError: the payments lack a column that the model needs; the message names it.
    """
    return joblib.load(MODEL).probabilities(payments)
