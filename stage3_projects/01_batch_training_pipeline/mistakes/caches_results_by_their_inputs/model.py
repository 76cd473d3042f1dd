"""The `offers` model: a logistic regression over `features.build`, kept as JSON that loads without running code."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

import features
from days import Day

MOST_ROWS_PER_DAY = 200_000  # a sample of this size says as much as ten million rows
DIGITS = 10  # coefficients are rounded, so that the last bits of a solver never change a file


@dataclass(frozen=True)
class Model:
    """Coefficients by feature, for features as `build` gives them."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float

    def score(self, impressions: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability (0 to 1) that each impression is redeemed."""
        built = features.build(impressions)[list(self.names)].to_numpy(float)
        probability: npt.NDArray[np.float64] = 1 / (
            1 + np.exp(-(built @ np.array(self.weights) + self.intercept))
        )
        return probability

    def to_json(self) -> bytes:
        return json.dumps(
            {"features": self.names, "weights": self.weights, "intercept": self.intercept}
        ).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Model:
        held = json.loads(content)
        return cls(tuple(held["features"]), tuple(held["weights"]), held["intercept"])


def sample(day: Day, lake: Path) -> Path:
    """The features and labels of a day's training rows, computed once for each delivery and each `features.py`.

    The name holds a digest of the code: a result that outlives its code is found by nobody.
    """
    path = lake / "features" / f"dt={day.day}" / f"{day.digest[:16]}.parquet"
    if not path.exists():
        threshold = MOST_ROWS_PER_DAY / max(day.facts.rows, MOST_ROWS_PER_DAY)
        chosen = []
        for impressions, redeemed in day.batches():
            take = _spread(impressions["impression_id"].to_numpy()) < threshold
            chosen.append(features.build(impressions[take]).assign(redeemed=redeemed[take]))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        pd.concat(chosen, ignore_index=True).to_parquet(unfinished, index=False)
        os.replace(unfinished, path)
    return path


def _spread(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """A number in [0, 1) from each id alone: the same rows are chosen in any order and in any batches."""
    mixed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return np.asarray((mixed * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(11)) * 2.0**-53)


def fit(samples: list[Path]) -> Model:
    """Train on these samples. The same samples give the same model, to the byte."""
    from sklearn.linear_model import LogisticRegression  # takes a second: a refused run need not wait

    rows = pd.concat([pd.read_parquet(path) for path in samples], ignore_index=True)
    redeemed = rows.pop("redeemed").to_numpy()
    built = rows.to_numpy(float)
    middle, spread = built.mean(axis=0), built.std(axis=0)
    spread[spread == 0] = 1.0
    fitted = LogisticRegression(C=1.0, max_iter=500).fit((built - middle) / spread, redeemed)
    weights = fitted.coef_[0] / spread
    intercept = float(fitted.intercept_[0] - weights @ middle)
    return Model(
        tuple(rows.columns),
        tuple(float(f"{w:.{DIGITS}g}") for w in weights),
        float(f"{intercept:.{DIGITS}g}"),
    )
