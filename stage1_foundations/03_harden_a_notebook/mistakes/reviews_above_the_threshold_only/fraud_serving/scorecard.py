"""The fitted model as plain data: a weight for each feature. Loading it runs nobody's code."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fraud_serving.features import categories, numbers
from fraud_serving.payment import Payment

FILE_NAME = "scorecard.json"


class UnusableModel(Exception):
    """There is no model in the folder, or not one that this code can read."""


@dataclass(frozen=True)
class Weight:
    """One numeric feature: (value − mean) / scale × weight. Not known: `missing` instead."""

    mean: float
    scale: float
    weight: float
    missing: float

    def points(self, value: float | None) -> float:
        return self.missing if value is None else (value - self.mean) / self.scale * self.weight


@dataclass(frozen=True)
class Scorecard:
    """A logistic model. `threshold`: from this probability on, a person reviews the payment."""

    intercept: float
    numbers: dict[str, Weight]
    categories: dict[str, dict[str, float]]
    threshold: float = math.inf

    def probability(self, payment: Payment) -> float:
        """The probability of fraud, from 0 to 1."""
        values, names = numbers(payment), categories(payment)
        points = [weight.points(values[name]) for name, weight in self.numbers.items()]
        points += [weights.get(names[name] or "", 0.0) for name, weights in self.categories.items()]
        logit = self.intercept + math.fsum(points)
        return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))

    def decision(self, probability: float) -> str:
        return "review" if probability > self.threshold else "allow"

    @property
    def version(self) -> str:
        """A name that follows from what is in the card: the same card, the same name, on any day."""
        return f"fraud-{hashlib.sha256(self._text().encode()).hexdigest()[:12]}"

    def save(self, folder: Path) -> None:
        (folder / FILE_NAME).write_text(self._text(), encoding="utf-8")

    def _text(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def load(cls, folder: Path) -> Scorecard:
        """The scorecard in a model folder.

        Raises:
            UnusableModel: it is missing or broken.
        """
        try:
            card: dict[str, Any] = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
            weights = {name: Weight(**weight) for name, weight in card.pop("numbers").items()}
            return cls(numbers=weights, **card)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnusableModel(f"no usable {FILE_NAME} in {folder}: {type(error).__name__}") from error
