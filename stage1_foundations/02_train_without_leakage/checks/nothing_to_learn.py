"""An export in which no column says anything about fraud. Whoever finds something there has looked at the answers.

The labels lie on the payments by lot, and beside the columns that are always there stand a hundred columns of
noise. A model that was fitted on these payments "knows" them all the same, also a small and careful one: on
the very rows that it has learned, blocking seems to pay. On all other payments it does not.

The loader wrote a few of the frauds a hundred times. And four columns were written again after some frauds, hardly
any of which is among the requests: so only two or three requests differ. The data dictionary knows nothing of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from export_maker import DAY, FACTS, FALSE_AFTER_DAYS, Made, as_json, parquet
from leaks import CORRECTABLE, LOW

TRAIN, HOLDOUT, WAITING, FRESH = 2_500, 600, 200, 2_500
NOISE, LEVELS = 100, 4  # columns, and how many values each has
FRAUD_SHARE = 0.08
BLOCKING_PAYS_FROM = 2.0  # times this share of frauds
MOST_PAISE = 50_000  # no payment is dear, so no single one decides where to block
STUCK, TIMES = 8, 100  # frauds that the loader wrote again and again, and how often
CHANGED = 40  # frauds of the training days after which a column was written again
EMPTY = 0.4  # share of cells of the column that is sometimes empty at the payment
A_LITTLE = 1.004  # times the value that was known at the payment


@dataclass(frozen=True)
class Nothing:
    """The export, and payments as the service sees them."""

    payments: pd.DataFrame  # each payment once, as the warehouse shows it, with labels
    requests: pd.DataFrame
    changed: dict[str, pd.Series]  # by column: the cells that were written again, as they are now
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
    everything = _facts_and_noise(made, rng)
    noise = [name for name in everything if name not in FACTS]
    gappy, nearly = rng.choice(noise, 2, replace=False).tolist()
    everything[gappy] = everything[gappy].mask(rng.random(len(everything)) < EMPTY)
    seen = everything.iloc[:-FRESH]
    is_fraud = np.concatenate([_by_lot(rng, n) for n in (TRAIN, HOLDOUT, WAITING)])
    final = np.arange(len(seen)) < TRAIN + HOLDOUT
    days = np.where(is_fraud, 1, FALSE_AFTER_DAYS) * DAY
    frauds = seen.iloc[:TRAIN][is_fraud[:TRAIN]]
    stuck = frauds.sample(STUCK, random_state=rng)
    written_once = frauds.drop(index=stuck.index)
    entered_again = [name for name in CORRECTABLE if name != made.roles.corrected]
    cells, unlogged = _written_again(written_once, entered_again, gappy, nearly, rng)
    payments = seen.copy()
    for name, values in cells.items():
        payments.loc[values.index, name] = values
    return Nothing(
        payments=payments.assign(
            is_fraud=pd.Series(is_fraud, dtype=object).where(final, None),
            labelled_at=(seen["event_time"] + days).where(final, pd.NaT),
        ),
        requests=seen.drop(index=unlogged).reset_index(drop=True),
        changed=cells,
        terms=made.terms | {"reviews_per_day": 2, "costs_rupees": _costs(seen, rng)},
        later=everything.iloc[-FRESH:].reset_index(drop=True),
        stuck=stuck.reset_index(drop=True),
        written_once=written_once.reset_index(drop=True),
    )


def _facts_and_noise(made: Made, rng: np.random.Generator) -> pd.DataFrame:
    """Payments of the training days, the holdout, the last days before the export, and the days after it."""
    time = made.history["event_time"]
    cheap = made.history["amount_paise"] <= MOST_PAISE
    past = time < made.exported_at
    waits = past & (time > made.exported_at - FALSE_AFTER_DAYS * DAY)
    in_holdout = (time >= made.holdout_from) & (time <= made.final_until)
    parts = (time < made.holdout_from, TRAIN), (in_holdout, HOLDOUT), (waits, WAITING), (~past, FRESH)
    chosen = [np.sort(rng.choice(np.flatnonzero(days & cheap), n, replace=False)) for days, n in parts]
    facts = made.history.iloc[np.concatenate(chosen)][[*FACTS]].reset_index(drop=True)
    stem = rng.choice(("opinion", "signal", "trait", "vendor_score"))
    names = [f"{stem}_{number:03}" for number in range(1, NOISE + 1)]
    noise = pd.DataFrame(rng.integers(1, LEVELS + 1, size=(len(facts), NOISE)) / 100, columns=names)
    return pd.concat([facts, noise], axis=1)


def _written_again(
    frauds: pd.DataFrame, entered_again: list[str], gappy: str, nearly: str, rng: np.random.Generator
) -> tuple[dict[str, pd.Series], pd.Index]:
    """By column: the cells that the warehouse shows otherwise after these frauds. And who of them has no request.

    Two or three of each column have one: of some columns early in the log, of the others late.
    """
    rows = {gappy: rng.choice(frauds.index[frauds[gappy].isna()], CHANGED, replace=False)}
    others = rng.permutation(frauds.index.difference(rows[gappy]))
    rows |= {name: others[first * CHANGED :][:CHANGED] for first, name in enumerate((nearly, *entered_again))}
    cells = {name: pd.Series(0.0, index=rows[name]) for name in (gappy, nearly)}  # gappy: empty, and then 0
    cells[nearly] += frauds.loc[rows[nearly], nearly] * A_LITTLE
    for name in entered_again:
        low = rng.integers(0, LOW, CHANGED).astype(frauds[name].dtype)
        cells[name] = pd.Series(low, index=rows[name])

    unlogged = frauds.index[:0]
    for number, name in enumerate((gappy, nearly, *entered_again)):
        in_time = np.sort(rows[name])
        third = in_time[-CHANGED // 3 :] if number % 2 else in_time[: CHANGED // 3]
        unlogged = unlogged.union(np.setdiff1d(in_time, rng.choice(third, rng.integers(2, 4), replace=False)))
    return cells, unlogged


def _by_lot(rng: np.random.Generator, rows: int) -> npt.NDArray[np.bool_]:
    return rng.permutation(np.arange(rows) < round(FRAUD_SHARE * rows))


def _costs(payments: pd.DataFrame, rng: np.random.Generator) -> dict[str, int]:
    """Terms by which it pays to block where frauds are twice as frequent as they are."""
    fee = int(rng.integers(15, 26)) * 100
    lost = fee + payments["amount_paise"].mean() / 100
    share = BLOCKING_PAYS_FROM * FRAUD_SHARE
    return {"allowed_fraud_fee": fee, "blocked_legitimate": round(share / (1 - share) * lost / 10) * 10}
