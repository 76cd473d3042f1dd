"""What late labels can say about the model."""

from __future__ import annotations

import pandas as pd


def quality(
    transactions: pd.DataFrame, labels: pd.DataFrame, as_of: pd.Timestamp, threshold: float
) -> dict[str, float | int | None]:
    """Precision, recall and PR AUC of the scores, for what can be judged by `as_of` (UTC)."""
    raise NotImplementedError("quality")
