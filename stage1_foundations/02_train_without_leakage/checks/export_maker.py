"""Exports of Nukkad Pay's payments, with leaks planted afresh for each seed, and the days that came after them.

python export_maker.py FOLDER [--seed N]     writes an export to practise with, and later days to judge a model by
"""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fraud_rule import FraudRule
from labs.world import World
from labs.world.draws import Columns
from labs.world.fraud import draw_labels
from labs.world.population import CATEGORIES, CHANNELS
from labs.world.process import clean_columns
from leaks import Roles, as_exported, plant

PRACTICE_SEED = 4  # never one that is graded: names learned by heart from the practice data are worth nothing
USABLE_DAYS, LATER_DAYS = 56, 16
FALSE_AFTER_DAYS = 30  # so old is a payment that nobody disputed when its label arrives
# No term of a graded export is the one that the brief shows as an example.
FINAL_AFTER_DAYS, HOLDOUT_DAYS = (32, 33, 34, 35, 36), (12, 13, 15, 16)
REVIEWS = (8, 9, 10, 11, 13, 14, 15, 16)
FEES, BLOCKED = (300, 400, 450, 500, 600, 700, 800), (60, 70, 80, 90, 100, 110)
WORLD_PER_DAY = 1_800  # 22 % of them go to a merchant whom the payer never paid before: these are exported
LOGGED = 3_000
ON_A_LIMIT = 3  # payments at the very moment at which the holdout begins, and at which labels are final
COPIED_FRAUDS, COPIED_OTHERS = 0.5, 0.04
DAY = np.timedelta64(1, "D")

FACTS = {
    "transaction_id": ("int64", "names the payment"),
    "event_time": ("timestamp", "UTC; when the payer paid"),
    "payer_id": ("int64", "names the payer"),
    "merchant_id": ("int64", "names the merchant"),
    "amount_paise": ("int64", "paise; 100 are one rupee"),
    "channel": ("text", "qr, intent, collect or autopay"),
    "merchant_category": ("text", "what the merchant sells"),
    "hour_ist": ("int64", "hour of the day in India, 0 to 23"),
    "device_age_days": ("float64", "days since this phone was first seen"),
    "payer_account_age_days": ("float64", "whole days"),
    "payer_txn_count_24h": ("int64", "payments by the payer in the 24 hours before"),
    "payer_mean_amount_30d_paise": ("float64", "paise; mean of the payer's payments in the 30 days before"),
    "distance_km": ("float64", "km from the payer's usual place"),
}


@dataclass(frozen=True)
class Made:
    """An export, and what only the grader knows of it."""

    seed: int
    roles: Roles
    terms: dict[str, Any]  # export.json
    history: (
        pd.DataFrame
    )  # every payment once, as it was at the payment, with label, truth and days after the export
    exported: pd.DataFrame  # payments.parquet: as the warehouse shows them, with copies
    logged: pd.DataFrame  # requests.parquet

    @property
    def exported_at(self) -> np.datetime64:
        return np.datetime64(self.terms["exported_at"].removesuffix("Z"), "us")

    @property
    def holdout_from(self) -> np.datetime64:
        return self.final_until - self.terms["holdout_days"] * DAY

    @property
    def final_until(self) -> np.datetime64:
        """Payments up to this very moment have a final label."""
        return self.exported_at - self.terms["label_final_after_days"] * DAY

    @cached_property
    def service_columns(self) -> list[str]:
        return [*FACTS, *self.roles.names]

    @cached_property
    def holdout(self) -> pd.DataFrame:
        time = self.history["event_time"]
        return self.history[(time >= self.holdout_from) & (time <= self.final_until)].reset_index(drop=True)

    @cached_property
    def later(self) -> pd.DataFrame:
        return self.history[self.history["event_time"] >= self.exported_at].reset_index(drop=True)

    def rows_since(self, end: np.datetime64) -> set[int]:
        """How many payments the last days before `end` have, for each number of days from 1 to 60."""
        times = self.history["event_time"].to_numpy()
        from_here = [int(((times >= end - days * DAY) & (times <= end)).sum()) for days in range(1, 61)]
        return set(from_here)

    def requests(self, payments: pd.DataFrame) -> pd.DataFrame:
        """The payments as the service sees them."""
        return payments[self.service_columns]

    def files(self) -> dict[str, bytes]:
        """The export as it lies in its folder."""
        return dict(self._files)

    @cached_property
    def _files(self) -> dict[str, bytes]:
        return {
            "payments.parquet": parquet(self.exported),
            "requests.parquet": parquet(self.logged),
            "columns.json": as_json(dictionary(self.roles)),
            "export.json": as_json(self.terms),
        }


def make(seed: int) -> Made:
    """The export of a world drawn from the seed."""
    rng = np.random.default_rng([seed, 20260121])
    roles = Roles.drawn(rng)
    world_seed = int(rng.integers(2**31))
    world = World(world_seed, date(2026, 1, 5) + timedelta(days=int(rng.integers(60))), WORLD_PER_DAY)
    final_after = int(rng.choice(FINAL_AFTER_DAYS))
    export_day = USABLE_DAYS + final_after
    exported_at = np.datetime64(world.calendar(export_day).start.replace(tzinfo=None), "us")
    terms = {
        "exported_at": f"{exported_at.astype('datetime64[s]')}Z",
        "label_final_after_days": final_after,
        "holdout_days": int(rng.choice(HOLDOUT_DAYS)),
        "reviews_per_day": int(rng.choice(REVIEWS)),
        "costs_rupees": {
            "allowed_fraud_fee": int(rng.choice(FEES)),
            "blocked_legitimate": int(rng.choice(BLOCKED)),
        },
    }
    rule = FraudRule.drawn(rng, without=roles.corrected)
    payments = _payments(world, export_day + LATER_DAYS, rule)
    for days in (final_after, final_after + terms["holdout_days"]):
        _put_on_limit(payments, exported_at - days * DAY)
    history = plant(roles, world_seed, payments, rng)
    past = history[history["event_time"] < exported_at].reset_index(drop=True)
    exported = _loaded(as_exported(roles, past, exported_at, rng), exported_at, rng)
    rows = np.sort(rng.choice(len(past), LOGGED, replace=False))
    seen = [*FACTS, *roles.names]
    logged = past.iloc[rows][seen].reset_index(drop=True)
    return Made(
        seed, roles, terms, history, exported[[*seen, "loaded_at", "is_fraud", "labelled_at"]], logged
    )


def _payments(world: World, days: int, rule: FraudRule) -> pd.DataFrame:
    """Each day's payments to merchants that are new to the payer, with label and truth, in order of time."""
    parts = [_first_payments(world, day) for day in range(days)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["fraud_probability"] = rule.probability(world.seed, columns)
    drawn, first = [], 0
    for day, part in enumerate(parts):
        rows = slice(first, first + part["event_time"].size)
        drawn.append(
            draw_labels(world.seed, day, columns["event_time"][rows], columns["fraud_probability"][rows])
        )
        first = rows.stop
    columns["is_fraud"], columns["labelled_at"] = (np.concatenate(each) for each in zip(*drawn, strict=True))
    for name, values in (("channel", CHANNELS), ("merchant_category", CATEGORIES)):
        columns[name] = np.array(values, dtype=object)[columns[name]]
    for name in ("event_time", "labelled_at"):
        columns[name] = columns[name].view("datetime64[us]")
    return pd.DataFrame(columns)


def _first_payments(world: World, day: int) -> Columns:
    columns = clean_columns(world.seed, world.calendar(day))
    first = columns["payer_merchant_is_new"] == 1
    return {name: columns[name][first] for name in FACTS}


def _put_on_limit(payments: pd.DataFrame, moment: np.datetime64) -> None:
    """Move the first payments after the moment to the very moment, and their labels with them."""
    first = int(np.searchsorted(payments["event_time"], moment))
    rows = slice(first, first + ON_A_LIMIT - 1)  # .loc includes the last
    payments.loc[rows, "labelled_at"] -= payments.loc[rows, "event_time"] - moment
    payments.loc[rows, "event_time"] = moment


def _loaded(payments: pd.DataFrame, at: np.datetime64, rng: np.random.Generator) -> pd.DataFrame:
    """The rows in the order in which the loader wrote them; some it wrote again, days later."""
    event_time = payments["event_time"].to_numpy()
    first = event_time + (rng.exponential(20, len(payments)) * 60e6).astype("timedelta64[us]")
    chance = np.where(payments["is_fraud"].eq(True), COPIED_FRAUDS, COPIED_OTHERS)
    again = rng.random(len(payments)) < chance
    copies = first[again] + (rng.uniform(0.5, 25, again.sum()) * 86_400e6).astype("timedelta64[us]")
    rows = np.concatenate((np.arange(len(payments)), np.flatnonzero(again)))
    loaded = np.minimum(np.concatenate((first, copies)), at - np.timedelta64(1, "s"))
    order = np.argsort(loaded, kind="stable")
    return payments.iloc[rows[order]].assign(loaded_at=loaded[order]).reset_index(drop=True)


def dictionary(roles: Roles) -> dict[str, dict[str, str]]:
    """What the data catalogue says of the export's columns. It does not know all of them: no catalogue does."""
    entries = {
        **{name: (kind, meaning, "at_payment") for name, (kind, meaning) in FACTS.items()},
        roles.corrected: (*FACTS[roles.corrected], "refreshed_nightly"),
        roles.assessed: (
            "float64",
            "the bank's opinion of the merchant, from before its first payment",
            "at_payment",
        ),
        roles.refreshed: (
            "float64",
            "share of the merchant's payments that was disputed to date",
            "refreshed_nightly",
        ),
        roles.later: ("text", "where the payer's complaint about this payment stands", "after_payment"),
        roles.lane: ("text", "the server group that handled the payment", "at_payment"),
        roles.closed: (
            "float64",
            "counts the payments that are closed: their label has arrived",
            "after_payment",
        ),
        roles.opened: ("int64", "counts the payments, in the order in which they came", "at_payment"),
        "loaded_at": ("timestamp", "UTC; when this row was written into the warehouse", "after_payment"),
        "is_fraud": ("bool", "the label; empty until it has arrived", "after_payment"),
        "labelled_at": ("timestamp", "UTC; when the label arrived", "after_payment"),
    }
    return {
        name: dict(zip(("type", "meaning", "available"), entry, strict=True))
        for name, entry in entries.items()
    }


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="lz4")
    return buffer.getvalue()


def as_json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=PRACTICE_SEED)
    given = parser.parse_args()
    made = make(given.seed)
    later = made.requests(made.later).assign(fraud_probability=made.later["fraud_probability"])
    for name, data in (made.files() | {"later_days.parquet": parquet(later)}).items():
        given.folder.mkdir(parents=True, exist_ok=True)
        (given.folder / name).write_bytes(data)
        print(f"{len(data):>9,} bytes  {given.folder / name}")


if __name__ == "__main__":
    main()
