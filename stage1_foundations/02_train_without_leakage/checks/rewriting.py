"""Exports and requests in which something was changed that must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd

from export_maker import Made, as_json, parquet


def with_other_later_days(made: Made, rng: np.random.Generator) -> dict[str, bytes]:
    """The same export, but in the holdout and in the payments that wait everything is different that can be.

    The log of the service is changed with it, so the two still agree. The training days stay as they are.
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
        "payments.parquet": parquet(_richer(made, payments)),
        "requests.parquet": parquet(_richer(made, made.logged)),
    }


def _richer(made: Made, payments: pd.DataFrame) -> pd.DataFrame:
    """From the holdout on people pay more, farther from home, and through a channel that was never there before."""
    late = payments["event_time"] >= made.holdout_from
    new_channel = late & (payments["transaction_id"] % 5 == 0)
    return payments.assign(
        amount_paise=payments["amount_paise"].where(~late, payments["amount_paise"] * 3),
        distance_km=payments["distance_km"].where(~late, payments["distance_km"] * 2 + 1),
        channel=payments["channel"].where(~new_channel, "aeps"),
    )


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
