"""How fraud works in one export. Strengths and directions are drawn from the seed: fraud changes its methods, and a
rule that is known from another export is worth nothing here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labs.world.draws import Columns
from labs.world.population import CATEGORIES, CHANNELS, FIRST_MERCHANT_ID, population

FRAUD_SHARE = 0.03  # of the payments to a merchant whom the payer never paid before
MERCHANT_STRENGTH = 1.6  # beside a merchant risk whose standard deviation is 1
WINDOW_HOURS = 5
NUMBERS = ("device_age_days", "payer_account_age_days", "payer_txn_count_24h", "distance_km")
CHANNEL_RISKS = (-1.0, -0.5, 0.0, 1.2)
CATEGORY_RISKS = (-0.8, -0.8, -0.5, -0.4, 0.4, 0.5, 0.9, 1.2)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FraudRule:
    """The log-odds of fraud are a sum: one term for each of these, and the merchant's risk."""

    first_hour: int  # IST; of the hours in which fraudsters work
    at_those_hours: float
    dear: float  # for each unit of log(amount / usual amount), from 0 on
    numbers: dict[str, float]  # for each standard deviation of the column's logarithm; either sign
    channels: Floats
    categories: Floats

    @classmethod
    def drawn(cls, rng: np.random.Generator, without: str) -> FraudRule:
        """A rule in which the column `without` says nothing."""
        signs = rng.choice([-1.0, 1.0], len(NUMBERS)) * rng.uniform(0.6, 1.0, len(NUMBERS))
        return cls(
            first_hour=int(rng.integers(24)),
            at_those_hours=float(rng.uniform(0.8, 1.6)),
            dear=float(rng.uniform(0.8, 1.4)),
            numbers={name: float(s) for name, s in zip(NUMBERS, signs, strict=True) if name != without},
            channels=rng.permutation(CHANNEL_RISKS)[: len(CHANNELS)],
            categories=rng.permutation(CATEGORY_RISKS)[: len(CATEGORIES)],
        )

    def probability(self, world_seed: int, payments: Columns) -> Floats:
        """Of each payment, with channel and category as codes: the probability that it is fraud."""
        usual_amounts = payments["amount_paise"] / payments["payer_mean_amount_30d_paise"]
        at_those_hours = (payments["hour_ist"] - self.first_hour) % 24 < WINDOW_HOURS
        logit = self.dear * np.maximum(np.log(usual_amounts), 0) + self.at_those_hours * at_those_hours
        for name, strength in self.numbers.items():
            logs = np.log1p(payments[name])
            logit += strength * (logs - logs.mean()) / logs.std()
        logit += self.channels[payments["channel"]] + self.categories[payments["merchant_category"]]
        risk = population(world_seed).merchant_risk[payments["merchant_id"] - FIRST_MERCHANT_ID]
        return with_mean(logit + MERCHANT_STRENGTH * risk, FRAUD_SHARE)


def with_mean(logit: Floats, mean: float) -> Floats:
    """Probabilities with this mean, from log-odds to which one number is added (found by halving)."""
    low, high = -30.0, 30.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if _probability(logit + middle).mean() > mean else (middle, high)
    return _probability(logit + low)


def _probability(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit)))
