"""A logistic scorecard: a model that is a table of numbers, in a file of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scorecard:
    """`weights` are per unit of each feature; `bias` is the log-odds when all features are 0."""

    version: str
    bias: float
    weights: Mapping[str, float]

    @staticmethod
    def read(path: Path) -> Scorecard:
        """Raises OSError when the file is not there: a service without its model must not start."""
        held = json.loads(path.read_text(encoding="utf-8"))
        return Scorecard(held["version"], float(held["bias"]), held["weights"])

    def probability(self, known: Mapping[str, float]) -> float:
        """The probability of fraud, from 0 to 1, rounded to six digits."""
        log_odds = self.bias + sum(weight * float(known[name]) for name, weight in self.weights.items())
        return round(1 / (1 + math.exp(-log_odds)), 6)

    def is_sane(self) -> bool:
        return 0 < self.probability(dict.fromkeys(self.weights, 1.0)) < 1
