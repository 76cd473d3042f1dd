"""An export in which no column says anything about fraud. Whoever finds something there has looked at the answers.

The labels lie on the payments by lot, and beside the columns that are always there stand a hundred columns of
noise. A model that was fitted on these payments "knows" them all the same, also a small and careful one: on
the very rows that it has learned, blocking seems to pay. On all other payments it does not. And the loader wrote a
few of the frauds a hundred times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from export_maker import FACTS, Made, as_json, parquet

TRAIN, HOLDOUT, WAITING, FRESH = 2_500, 600, 200, 2_500
NOISE, LEVELS = 100, 4  # columns, and how many values each has
FRAUD_SHARE = 0.08
BLOCKING_PAYS_FROM = 2.0  # times this share of frauds
MOST_PAISE = 50_000  # no payment is dear, so no single one decides where to block
STUCK, TIMES = 8, 100  # frauds that the loader wrote again and again, and how often


@dataclass(frozen=True)
class Nothing:
    """The export, and payments as the service sees them."""

    payments: pd.DataFrame  # each payment once, with labels
    requests: pd.DataFrame
    terms: dict[str, object]
    later: pd.DataFrame
    stuck: pd.DataFrame  # frauds of the training days which the loader wrote again and again
    written_once: pd.DataFrame  # the other frauds of the training days

    @cached_property
    def files(self) -> dict[str, bytes]:
        times = np.where(self.payments["transaction_id"].isin(self.stuck["transaction_id"]), TIMES, 1)
        rows = self.payments.loc[self.payments.index.repeat(times)]
        late = rows.groupby(level=0).cumcount().to_numpy() * np.timedelta64(1, "m")
        rows = rows.assign(loaded_at=rows["event_time"] + np.timedelta64(5, "m") + late)
        rows = rows.sort_values("loaded_at", kind="stable")
        columns = [*self.requests, "loaded_at", "is_fraud", "labelled_at"]
        meaning = ("float64", "an opinion of the payment, from before it was made", "at_payment")
        facts = {name: (*fact, "at_payment") for name, fact in FACTS.items()}
        opinions = {name: meaning for name in self.requests if name not in FACTS}
        dictionary = {
            name: dict(zip(("type", "meaning", "available"), entry, strict=True))
            for name, entry in (facts | opinions).items()
        }
        return {
            "payments.parquet": parquet(rows[columns]),
            "requests.parquet": parquet(self.requests),
            "columns.json": as_json(dictionary),
            "export.json": as_json(self.terms),
        }


def nothing_to_learn(made: Made, rng: np.random.Generator) -> Nothing:
    """Payments of the same world and days, with labels by lot."""
    time = made.history["event_time"]
    cheap = made.history["amount_paise"] <= MOST_PAISE
    past = time < made.exported_at
    is_training = time < made.holdout_from
    waits = past & (time > made.final_until)
    parts = (is_training, TRAIN), (past & ~is_training & ~waits, HOLDOUT), (waits, WAITING), (~past, FRESH)
    chosen = [np.sort(rng.choice(np.flatnonzero(days & cheap), n, replace=False)) for days, n in parts]
    everything = made.history.iloc[np.concatenate(chosen)][[*FACTS]].reset_index(drop=True)
    stem = rng.choice(("opinion", "signal", "trait", "vendor_score"))
    names = [f"{stem}_{number:03}" for number in range(1, NOISE + 1)]
    noise = rng.integers(LEVELS, size=(len(everything), NOISE)) / 100
    everything = pd.concat([everything, pd.DataFrame(noise, columns=names)], axis=1)

    payments = everything.iloc[:-FRESH]
    is_fraud = np.concatenate([_by_lot(rng, n) for n in (TRAIN, HOLDOUT, WAITING)])
    final = np.arange(len(payments)) < TRAIN + HOLDOUT
    days = np.where(is_fraud, 1, 30) * np.timedelta64(1, "D")
    labels = pd.Series(is_fraud, dtype=object).where(final, None)
    labelled_at = (payments["event_time"] + days).where(final, pd.NaT)
    logged = np.sort(rng.choice(len(payments), len(payments) // 2, replace=False))
    frauds = everything.iloc[:TRAIN][is_fraud[:TRAIN]]
    stuck = frauds.sample(STUCK, random_state=rng)
    return Nothing(
        payments=payments.assign(is_fraud=labels, labelled_at=labelled_at),
        requests=payments.iloc[logged].reset_index(drop=True),
        terms=made.terms | {"reviews_per_day": 2, "costs_rupees": _costs(payments, rng)},
        later=everything.iloc[-FRESH:].reset_index(drop=True),
        stuck=stuck.reset_index(drop=True),
        written_once=frauds.drop(index=stuck.index).reset_index(drop=True),
    )


def _by_lot(rng: np.random.Generator, rows: int) -> npt.NDArray[np.bool_]:
    return rng.permutation(np.arange(rows) < round(FRAUD_SHARE * rows))


def _costs(payments: pd.DataFrame, rng: np.random.Generator) -> dict[str, int]:
    """Terms by which it pays to block where frauds are twice as frequent as they are."""
    fee = int(rng.integers(15, 26)) * 100
    lost = fee + payments["amount_paise"].mean() / 100
    share = BLOCKING_PAYS_FROM * FRAUD_SHARE
    return {"allowed_fraud_fee": fee, "blocked_legitimate": round(share / (1 - share) * lost / 10) * 10}
