"""Scores payments with a model that train.py has left. This is what the fraud service calls."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd


def score(model: str, payments: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Of each payment, the probability that it is fraud, by the model in the folder `model`.

    `payments` has the columns of requests.parquet. It may hold one payment, or a month of them, or none.

    Raises:
        ValueError: the payments lack a column that the model needs; the message names it.
    """
    raise NotImplementedError("score")
