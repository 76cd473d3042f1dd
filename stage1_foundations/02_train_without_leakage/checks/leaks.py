"""The columns that are planted beside the world's own: some honest, some leaks, under names drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from labs.world.population import CATEGORIES, FIRST_MERCHANT_ID, MERCHANTS_PER_CATEGORY, population

# The same name is a leak for one seed, and the best column for another.
MERCHANT_NAMES = (
    "merchant_dispute_rate",
    "merchant_refund_share",
    "merchant_risk_index",
    "merchant_trust_score",
)
STATE_NAMES = ("refund_stage", "review_queue", "settlement_state", "support_topic")
NUMBER_NAMES = ("archive_no", "batch_position", "journal_row", "ledger_no")
CORRECTABLE = ("device_age_days", "distance_km", "payer_account_age_days")  # of those that are always there
STATES = ("A1", "B2", "C3")
BASE_RATE = 0.012
ASSESSED_NOISE, UNWRITTEN_NOISE = 0.3, 1.6  # beside a merchant risk whose standard deviation is 1
CONTACTED_FRAUDS, CONTACTED_OTHERS = 0.85, 0.01
CORRECTED_FRAUDS, CORRECTED_OTHERS = 0.35, 0.001
LOW = 3  # corrected values are whole numbers below this

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Roles:
    """Which name plays which part for this seed."""

    assessed: str  # known at the payment, in the dictionary, worth a lot
    unwritten: str  # known at the payment, not in the dictionary, worth a little
    refreshed: str  # leak: the export holds the value of the export's day, with the row's own label in it
    unwritten_refreshed: str  # leak: the same, and not in the dictionary
    later: str  # leak: empty at the payment, filled in when somebody complains
    lane: str  # known at the payment, worth nothing
    closed: str  # leak: a number given in the order in which labels arrive
    opened: str  # a number given in the order of payments: harmless
    corrected: str  # leak: one of the columns that are always there; set to a low value after some frauds

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Roles:
        merchant = rng.permutation(MERCHANT_NAMES).tolist()
        states, numbers = (rng.permutation(names)[:2].tolist() for names in (STATE_NAMES, NUMBER_NAMES))
        return cls(*merchant, *states, *numbers, corrected=str(rng.choice(CORRECTABLE)))

    @property
    def names(self) -> list[str]:
        """The planted columns."""
        return sorted(set(vars(self).values()) - {self.corrected})

    @property
    def rewritten(self) -> tuple[str, str, str]:
        return self.refreshed, self.unwritten_refreshed, self.corrected

    @property
    def unwritten_names(self) -> tuple[str, str]:
        return self.unwritten, self.unwritten_refreshed


def plant(roles: Roles, seed: int, payments: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """`payments` with the columns whose values are fixed at the payment, and as they were then."""
    merchant = payments["merchant_id"].to_numpy() - FIRST_MERCHANT_ID
    count = MERCHANTS_PER_CATEGORY * len(CATEGORIES)
    risk = population(seed).merchant_risk
    rows = len(payments)

    def opinion(noise: float) -> Floats:
        strength = 0.8 * rng.choice([-1.0, 1.0])  # a high number is a bad merchant, or a good one
        of_merchant = BASE_RATE * np.exp(strength * (risk + noise * rng.normal(size=count)))
        return of_merchant.round(6)[merchant]

    shares = disputed_shares(payments, payments["event_time"])
    columns = {
        roles.assessed: opinion(ASSESSED_NOISE),
        roles.unwritten: opinion(UNWRITTEN_NOISE),
        roles.refreshed: shares[0],
        roles.unwritten_refreshed: shares[1],
        roles.later: np.full(rows, None, dtype=object),
        roles.lane: rng.choice(np.array(STATES, dtype=object), rows),
        roles.closed: np.full(rows, np.nan),
        roles.opened: np.arange(rows, dtype=np.int64) + int(rng.integers(10**6, 10**7)),
    }
    return payments.assign(**{name: columns[name] for name in sorted(columns)})


def as_exported(
    roles: Roles, payments: pd.DataFrame, at: np.datetime64, rng: np.random.Generator
) -> pd.DataFrame:
    """The same payments as the warehouse shows them at `at`: some columns were written, or written over, since."""
    known = (payments["labelled_at"] <= at).to_numpy()
    chance = np.where(payments["is_fraud"], CONTACTED_FRAUDS, CONTACTED_OTHERS)
    contacted = known & (rng.random(len(payments)) < chance)
    state = np.where(contacted, rng.choice(np.array(STATES, dtype=object), len(payments)), None)
    closed = np.full(len(payments), np.nan)
    order = np.argsort(payments["labelled_at"].to_numpy()[known], kind="stable")
    closed[np.flatnonzero(known)[order]] = np.arange(known.sum()) + int(rng.integers(10**6, 10**7))
    shares = disputed_shares(payments, pd.Series(at, index=payments.index))
    chance = np.where(payments["is_fraud"], CORRECTED_FRAUDS, CORRECTED_OTHERS)
    corrected = known & (rng.random(len(payments)) < chance)
    old = payments[roles.corrected]
    low = rng.integers(0, LOW, len(payments)).astype(old.dtype)
    return payments.assign(
        **{
            roles.corrected: old.where(~corrected, low),
            roles.refreshed: shares[0],
            roles.unwritten_refreshed: shares[1],
            roles.later: state,
            roles.closed: closed,
            "is_fraud": payments["is_fraud"].astype(object).where(known, None),
            "labelled_at": payments["labelled_at"].where(known, pd.NaT),
        }
    )


def disputed_shares(payments: pd.DataFrame, at: pd.Series) -> tuple[Floats, Floats]:
    """Of each row's merchant: the share of payments, and of rupees, that was reported as fraud by `at`."""
    merchant = payments["merchant_id"].to_numpy()
    frauds = payments[payments["is_fraud"]]
    reports = Running(frauds["merchant_id"], frauds["labelled_at"], frauds["amount_paise"])
    everything = Running(payments["merchant_id"], payments["event_time"], payments["amount_paise"])
    reported, reported_paise = reports.until(merchant, at)
    paid, paid_paise = everything.until(merchant, at)
    return (reported + 0.1) / (paid + 8), (reported_paise + 300.0) / (paid_paise + 30_000.0)


class Running:
    """How many events each merchant has had by a moment, and what they sum to."""

    def __init__(self, merchant: pd.Series, at: pd.Series, paise: pd.Series) -> None:
        keys = self._keys(merchant.to_numpy(), at)
        order = np.argsort(keys)
        self._sorted = keys[order]
        self._sums = np.concatenate(([0.0], np.cumsum(paise.to_numpy()[order], dtype=np.float64)))

    def until(self, merchant: npt.NDArray[np.int64], at: pd.Series) -> tuple[Floats, Floats]:
        last = np.searchsorted(self._sorted, self._keys(merchant, at), side="right")
        first = np.searchsorted(self._sorted, merchant << 42, side="left")
        return (last - first).astype(np.float64), self._sums[last] - self._sums[first]

    @staticmethod
    def _keys(merchant: npt.NDArray[np.int64], at: pd.Series) -> npt.NDArray[np.int64]:
        """Merchants in order, and for each of them milliseconds since 1970 (below 2**42)."""
        return (merchant << 42) + at.to_numpy().astype("datetime64[ms]").astype(np.int64)
