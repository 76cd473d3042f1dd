"""Exports and requests in which something was changed that must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd

from export_maker import Made, as_json, parquet

NEW_CHANNEL = "aeps"


def with_other_later_days(made: Made, rng: np.random.Generator) -> dict[str, bytes]:
    """The same export, but in the holdout and in the payments that wait everything is different that can be.

    The log of the service is changed with it, so the two still agree where they did. The training days stay.
    """
    payments = made.exported.copy()
    ids = payments["transaction_id"]
    in_holdout = payments["event_time"].between(made.holdout_from, made.final_until)
    once = payments[in_holdout].drop_duplicates("transaction_id")
    labels = dict(zip(once["transaction_id"], rng.permutation(once["is_fraud"].to_numpy()), strict=True))
    payments.loc[in_holdout, "is_fraud"] = ids[in_holdout].map(labels)
    waiting = payments["event_time"] > made.final_until
    forgotten = waiting & (ids % 3 > 0)
    payments.loc[forgotten, "is_fraud"] = None
    payments.loc[forgotten, "labelled_at"] = pd.NaT
    return made.files() | {
        "payments.parquet": parquet(_other_people(made, payments)),
        "requests.parquet": parquet(_other_people(made, made.logged)),
    }


def by_a_new_channel(payments: pd.DataFrame) -> pd.DataFrame:
    """The same payments, through a channel that no training day has."""
    return payments.assign(channel=NEW_CHANNEL)


def _other_people(made: Made, payments: pd.DataFrame) -> pd.DataFrame:
    """From the holdout on other people pay other merchants, pay more, from newer phones, and through a new channel."""
    ids = payments["transaction_id"]
    late = payments["event_time"] >= made.holdout_from
    crowd = payments["merchant_id"].min()
    changed = {
        "payer_id": (ids % 2 == 0, payments["payer_id"].min()),
        "merchant_id": (ids % 3 == 0, crowd),
        "merchant_category": (ids % 3 == 1, payments["merchant_category"].min()),
        "channel": (ids % 5 == 0, NEW_CHANNEL),
        "amount_paise": (True, payments["amount_paise"] * 3),
        "distance_km": (True, payments["distance_km"] * 2 + 1),
        "device_age_days": (True, payments["device_age_days"] / 2),
    }
    return payments.assign(**{
        name: payments[name].mask(late & rows, values) for name, (rows, values) in changed.items()
    })  # fmt: skip


def without_amounts(made: Made) -> tuple[dict[str, bytes], str]:
    """An export without a column, and the column."""
    files, payments = _small(made)
    name = "amount_paise"
    return files | {"payments.parquet": parquet(payments.drop(columns=name))}, name


def unusable(made: Made) -> dict[str, tuple[dict[str, bytes], str]]:
    """Exports that nothing can be learned from: what is wrong with them, and what the sentence must name."""
    files, payments = _small(made)
    cases = {
        f"without a column `{name}`": (payments.drop(columns=name), name)
        for name in ("amount_paise", "event_time", "is_fraud", "transaction_id")
    }
    honest = payments["is_fraud"].mask(payments["is_fraud"].eq(True), False)
    cases["in which nothing is fraud"] = (payments.assign(is_fraud=honest), "")
    changed = {
        what: (files | {"payments.parquet": parquet(frame)}, name) for what, (frame, name) in cases.items()
    }
    soon = payments["event_time"].min().isoformat(timespec="seconds")
    early = files | {"export.json": as_json(made.terms | {"exported_at": f"{soon}Z"})}
    changed["in which no label is final yet"] = (early, "")
    for absent in ("payments.parquet", "export.json"):
        without = {name: data for name, data in files.items() if name != absent}
        changed[f"without {absent}"] = (without, absent)
    return changed


def _small(made: Made) -> tuple[dict[str, bytes], pd.DataFrame]:
    """An export of every twentieth payment: enough to be refused for a reason, and quickly written. And its rows."""
    payments, logged = (
        rows[rows["transaction_id"] % 20 == 0].reset_index(drop=True) for rows in (made.exported, made.logged)
    )
    files = made.files() | {"payments.parquet": parquet(payments), "requests.parquet": parquet(logged)}
    return files, payments
