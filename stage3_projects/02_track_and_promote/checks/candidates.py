"""Models clearly inside or outside of each limit of the gate, or just so; and the payments that they are judged on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from planted import scores

PR_AUC_MAY_FALL, SLICE_MAY_FALL, COST_MAY_GROW, LEAST_FRAUDS = 0.01, 0.02, 1.05, 50
BLOCKED_LEGITIMATE_RUPEES = 80.0
CHAMPION_NOISE, BETTER_NOISE = 0.8, 0.4


@dataclass(frozen=True)
class Market:
    """The payments that versions are judged on."""

    payments: pd.DataFrame

    @cached_property
    def frauds(self) -> np.ndarray:
        return self.payments["is_fraud"].to_numpy(bool)

    @cached_property
    def slices(self) -> dict[str, np.ndarray]:
        """Every slice, and which payments are in it."""
        return {
            f"{column}.{value}": (self.payments[column] == value).to_numpy()
            for column in ("channel", "merchant_category")
            for value in sorted(self.payments[column].unique())
        }

    def frauds_in(self, name: str) -> int:
        return int(self.frauds[self.slices[name]].sum())

    @cached_property
    def large(self) -> list[str]:
        return [name for name in self.slices if self.frauds_in(name) >= LEAST_FRAUDS]

    @cached_property
    def nearly_large(self) -> list[str]:
        """The slices that are not judged, those with the most frauds first."""
        others = (name for name in self.slices if 10 <= self.frauds_in(name) < LEAST_FRAUDS)
        return sorted(others, key=self.frauds_in, reverse=True)

    def pr_auc(self, found: np.ndarray, name: str = "") -> float:
        rows = self.slices[name] if name else slice(None)
        return float(average_precision_score(self.frauds[rows], found[rows]))

    def costs(self, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All thresholds that could be, from the highest; and what each of them costs in rupees."""
        amount = self.payments["amount_paise"].to_numpy() / 100
        order = np.argsort(-found, kind="stable")
        change = np.where(self.frauds, -amount, BLOCKED_LEGITIMATE_RUPEES)[order]
        return found[order], amount[self.frauds].sum() + np.cumsum(change)

    def cost(self, found: np.ndarray, threshold: float) -> float:
        """Rupees, blocked from the threshold on."""
        blocked, amount = found >= threshold, self.payments["amount_paise"].to_numpy() / 100
        lost = amount[self.frauds & ~blocked].sum()
        return float(lost + BLOCKED_LEGITIMATE_RUPEES * (blocked & ~self.frauds).sum())


@dataclass(frozen=True)
class Figures:
    """What the gate must find."""

    pr_auc: float
    cost_rupees: float
    slices: dict[str, float]


@dataclass(frozen=True)
class Model:
    """A planted model: how it scores, and from where on it blocks."""

    spec: dict[str, Any]
    threshold: float
    figures: Figures

    def reasons_against(self, champion: Model) -> list[str]:
        """What the contract holds against it beside this champion, but for latency."""
        mine, best = self.figures, champion.figures
        found = ["pr_auc"] * (mine.pr_auc < best.pr_auc - PR_AUC_MAY_FALL)
        found += ["cost"] * (mine.cost_rupees > best.cost_rupees * COST_MAY_GROW)
        found += [
            f"slice.{name}" for name in best.slices if mine.slices[name] < best.slices[name] - SLICE_MAY_FALL
        ]
        return sorted(found)

    def is_clear_beside(self, champion: Model) -> bool:
        """Whether no figure is so near to a limit that rounding could decide."""
        mine, best = self.figures, champion.figures
        falls = [best.pr_auc - mine.pr_auc - PR_AUC_MAY_FALL]
        falls += [best.slices[name] - mine.slices[name] - SLICE_MAY_FALL for name in best.slices]
        falls.append(mine.cost_rupees / best.cost_rupees - COST_MAY_GROW)
        return min(abs(one) for one in falls) > 0.001


def shifted(model: Model, shift: float) -> Model:
    """The same model with other scores and another threshold: it ranks and decides as before."""
    odds = math.log(model.threshold / (1 - model.threshold)) + shift
    below = 1 / (1 + math.exp(-odds)) - 2e-6  # scores are rounded
    return replace(model, spec={**model.spec, "shift": shift}, threshold=below)


class Workshop:
    """Makes models for one market."""

    def __init__(self, market: Market) -> None:
        self.market = market

    def model(self, noise: float, *, cost: float = 0.0, **spec: Any) -> Model:
        """A model with its cheapest threshold, or with one at which it costs `cost` rupees."""
        whole = {"noise": noise, **spec}
        found = scores(self.market.payments, whole)
        thresholds, costs = self.market.costs(found)
        place = int(np.argmin(costs))
        if cost:  # block more than is wise
            place += int(np.argmax(costs[place:] >= cost))
        by_slice = {name: self.market.pr_auc(found, name) for name in self.market.large}
        threshold = float(thresholds[place])  # one payment's very score: it is blocked
        figures = Figures(self.market.pr_auc(found), self.market.cost(found, threshold), by_slice)
        return Model(whole, threshold, figures)

    def worse_by(self, fall: float, champion: Model, *, cost: float = 0.0, **spec: Any) -> Model:
        """A model whose PR AUC is lower than the champion's by `fall`."""
        wanted = champion.figures.pr_auc - fall
        noise = self._noise(lambda tried: {**spec, "noise": tried}, "", wanted)
        return self.model(noise, cost=cost, **spec)

    def worse_in(self, name: str, fall: float, champion: Model, **others: float) -> dict[str, float]:
        """The noise for which PR AUC is lower by `fall` in this slice; `others` are the noise of other slices."""
        best = self.market.pr_auc(scores(self.market.payments, champion.spec), name)
        noise = self._noise(
            lambda tried: {"noise": 0.0, "noise_in": {name: tried, **others}}, name, best - fall
        )
        return {name: noise, **others}

    def worse_and_dearer(self, champion: Model, **spec: Any) -> Model:
        """A model that breaks the limits of PR AUC and of cost, by little, and of which no figure lies near a limit."""
        cost = champion.figures.cost_rupees * 1.07
        tries = (self.worse_by(step / 1000, champion, cost=cost, **spec) for step in range(14, 40, 2))
        return next(one for one in tries if one.is_clear_beside(champion))

    def just_good_enough(self, champion: Model, rng: np.random.Generator) -> Model:
        """A model that is worse by nearly as much as it may be: overall, in rupees, and in one large slice."""
        cost = champion.figures.cost_rupees * 1.035
        for name in rng.permutation(self.market.large).tolist():
            noise_in = self.worse_in(name, 0.016, champion)
            model = self.worse_by(0.006, champion, cost=cost, noise_in=noise_in)
            if model.is_clear_beside(champion) and not model.reasons_against(champion):
                return model
        raise RuntimeError("no model is just good enough: change the noise")

    def worse_in_a_slice(self, champion: Model, rng: np.random.Generator) -> Model:
        """A model that is better, but worse by too much in one large slice; and by more in one that is nearly large."""
        large = rng.permutation(self.market.large).tolist()
        for small, much in itertools.product(self.market.nearly_large, (0.03, 0.05)):
            in_small = self.worse_in(small, much, champion)
            for name, fall in itertools.product(large, (0.024, 0.03)):
                model = self.model(0.0, noise_in=self.worse_in(name, fall, champion, **in_small))
                is_alone = model.reasons_against(champion) == [f"slice.{name}"]
                if is_alone and model.is_clear_beside(champion):
                    return model
        raise RuntimeError("no slice can be made worse alone: change the noise")

    def _noise(self, spec: Callable[[float], dict[str, Any]], name: str, wanted: float) -> float:
        """How much noise brings the PR AUC (of a slice, or of all) to `wanted`. It falls as noise grows."""
        rows = self.market.slices[name] if name else slice(None)
        payments, frauds = self.market.payments[rows], self.market.frauds[rows]
        low, high = 0.3, 2.0
        for _ in range(12):
            tried = (low + high) / 2
            found = float(average_precision_score(frauds, scores(payments, spec(tried))))
            if abs(found - wanted) < 0.0008:
                return tried
            low, high = (tried, high) if found > wanted else (low, tried)
        return (low + high) / 2
