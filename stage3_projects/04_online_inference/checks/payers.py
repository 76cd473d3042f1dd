"""Payments to send and payers to store: drawn from Nukkad Pay's world, on a day that no model was trained on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import redis

from labs.world import World

DAY = 20
FRAUD_WEIGHT = 60.0  # how much more often a fraud is drawn than another payment
NULL_SHARE = 0.15
HOT_PAYERS = 60
HOT_KEY = "fraud:hot_payers"
STALE_SECONDS = 1800
DEFAULTS = {
    "payer_account_age_days": 365.0,
    "payer_txn_count_24h": 2,
    "payer_mean_amount_30d_paise": 20_000.0,
}
LOOKED_UP = tuple(DEFAULTS)


@dataclass(frozen=True)
class Case:
    """One payment, what the store knows of its payer, and how many seconds ago that was true."""

    payment: dict[str, Any]
    stored: dict[str, float]
    age_seconds: float = 60.0

    @property
    def payer_id(self) -> int:
        return int(self.payment["payer_id"])

    @property
    def row(self) -> dict[str, Any]:
        """All that the model wants to know."""
        return {**self.payment, **self.stored}

    @property
    def without_store(self) -> dict[str, Any]:
        """The same with the contract's defaults."""
        return {**self.payment, **DEFAULTS}

    @property
    def fields(self) -> dict[str, str]:
        """The hash in Redis."""
        texts = {name: repr(value) for name, value in self.stored.items()}
        return {**texts, "event_time": str(int((time.time() - self.age_seconds) * 1000))}

    def changed(self, **stored: float) -> Case:
        return replace(self, stored={**self.stored, **stored})


class Draws:
    """Cases of one seed. The world's day is drawn once."""

    def __init__(self, seed: int) -> None:
        world = World(seed=seed)
        self.frame = world.transactions(DAY)
        weight = np.where(world.truth(DAY)["is_fraud"], FRAUD_WEIGHT, 1.0)
        self.share = weight / weight.sum()

    def cases(self, rng: np.random.Generator, count: int) -> list[Case]:
        """`count` cases, no payer twice."""
        rows = self.frame.iloc[rng.choice(len(self.frame), count, replace=False, p=self.share)]
        payers = rng.choice(10**7, count, replace=False) + 10**9
        return [
            _case(row, int(payer), rng) for row, payer in zip(rows.to_dict("records"), payers, strict=True)
        ]


def _case(row: dict[str, Any], payer_id: int, rng: np.random.Generator) -> Case:
    payment: dict[str, Any] = {
        name: int(row[name]) for name in ("transaction_id", "amount_paise", "hour_ist")
    }
    payment |= {"payer_id": payer_id, "channel": str(row["channel"])}
    payment["payer_merchant_is_new"] = bool(row["payer_merchant_is_new"])
    for name in ("device_age_days", "distance_km"):
        known = rng.random() >= NULL_SHARE and not pd.isna(row[name])
        payment[name] = round(float(row[name]), 3) if known else None
    stored = {
        "payer_account_age_days": float(row["payer_account_age_days"]),
        "payer_txn_count_24h": int(row["payer_txn_count_24h"]),
        "payer_mean_amount_30d_paise": round(float(row["payer_mean_amount_30d_paise"]), 2),
    }
    return Case(payment, stored, float(rng.uniform(5, STALE_SECONDS / 3)))


def put(client: redis.Redis, cases: list[Case]) -> None:
    """Store what is known of these payers, whatever was there before."""
    with client.pipeline() as pipe:
        for case in cases:
            pipe.delete(key_of(case.payer_id))
            pipe.hset(key_of(case.payer_id), mapping=case.fields)
        pipe.execute()


def key_of(payer_id: int) -> str:
    return f"fraud:payer:{payer_id}"


BROKEN: tuple[tuple[str, dict[str, str | None]], ...] = (
    ("a payer who is not stored", {}),
    ("a hash without `event_time`", {"event_time": None}),
    ("a hash without `payer_txn_count_24h`", {"payer_txn_count_24h": None}),
    ("`n/a` for the mean amount", {"payer_mean_amount_30d_paise": "n/a"}),
    ("`nan` for the mean amount", {"payer_mean_amount_30d_paise": "nan"}),
    ("an account age below 0", {"payer_account_age_days": "-3"}),
    ("half a payment in 24 hours", {"payer_txn_count_24h": "2.5"}),
    ("an empty `event_time`", {"event_time": ""}),
)
TEXTS = 6  # payers with a text for a hash, one after the other: more than a breaker bears
UNUSABLE = len(BROKEN) + TEXTS


def broken(client: redis.Redis, cases: list[Case]) -> Iterator[tuple[str, Case]]:
    """(what is wrong, case): stored so that its features cannot be used. Takes `UNUSABLE` cases."""
    for (kind, changes), case in zip(BROKEN, cases, strict=False):
        client.delete(key_of(case.payer_id))
        if changes:
            fields = {**case.fields, **changes}
            client.hset(
                key_of(case.payer_id),
                mapping={name: text for name, text in fields.items() if text is not None},
            )
        yield kind, case
    for case in cases[len(BROKEN) :]:
        client.set(key_of(case.payer_id), "hello")
        yield "text where a hash should be", case
