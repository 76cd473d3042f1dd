"""Payments of which a check chooses labels: just enough frauds in a slice, or other ones in the holdout."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from days import draw_days, in_order
from planted import scores

Days = Mapping[str, pd.DataFrame]
TIES = 12  # payments on each side of the beginning of the holdout


def days_to_judge_on(seed: int) -> dict[str, pd.DataFrame]:
    """Of three channels, one has more than enough frauds to be judged, one just enough, and one has one too few."""
    enough, too_few = np.random.default_rng(seed).permutation(["intent", "qr"])
    return with_frauds(draw_days(seed, 20, 4, 4500), {"collect": 60, enough: 50, too_few: 49})


def days_to_train_on(seed: int) -> dict[str, pd.DataFrame]:
    """In the holdout, one channel has exactly enough frauds for a metric, and one has one too few."""
    enough, too_few = np.random.default_rng(seed).permutation(["collect", "intent"])
    return with_frauds(with_ties(draw_days(seed, 0, 4, 3500)), {enough: 20, too_few: 19}, in_holdout=True)


def with_ties(days: Days) -> dict[str, pd.DataFrame]:
    """The same payments. Those around the beginning of the holdout, which lie in the last file, have one event time.

    They lie there in no order, and some that belong to the holdout are frauds: whoever does not look at
    `transaction_id` lays other payments away.
    """
    *before, (name, payments) = days.items()
    rows = sum(len(some) for some in days.values())
    start = rows - rows // 5 - sum(len(some) for _, some in before)  # of the holdout, in the last file
    payments = payments.sort_values(["event_time", "transaction_id"], ignore_index=True)
    tied = payments[start - TIES : start + TIES].sort_values("transaction_id")
    tied["event_time"] = payments["event_time"][start]
    tied["is_fraud"] |= tied["channel"].isin(["qr", "autopay"]) & (np.arange(2 * TIES) >= TIES)
    parts = [payments[: start - TIES], tied.sample(frac=1, random_state=start), payments[start + TIES :]]
    return {**dict(before), name: pd.concat(parts, ignore_index=True)}


def holdout(payments: pd.DataFrame) -> pd.DataFrame:
    """The last fifth of payments which are in order."""
    return payments.iloc[len(payments) - len(payments) // 5 :].reset_index(drop=True)


def with_frauds(
    days: Days, wanted: Mapping[str, int], *, in_holdout: bool = False
) -> dict[str, pd.DataFrame]:
    """The same payments, of which each of these channels has exactly so many frauds (in the holdout).

    Those that look least like fraud become legitimate, or those that look most like it become frauds.
    """
    payments, among = _all(days, in_holdout)
    frauds = payments["is_fraud"].to_numpy(bool, copy=True)
    likely = scores(payments, {"noise": 0.0})
    for channel, count in wanted.items():
        rows = np.flatnonzero(among & (payments["channel"] == channel).to_numpy())
        frauds_first = rows[np.lexsort((-likely[rows], ~frauds[rows]))]
        frauds[rows] = False
        frauds[frauds_first[:count]] = True
    return _with_labels(days, frauds)


def with_another_holdout(days: Days, category: str) -> dict[str, pd.DataFrame]:
    """The same payments; in the holdout, all of one merchant category turn out to be frauds."""
    payments, among = _all(days, in_holdout=True)
    turned = among & (payments["merchant_category"] == category).to_numpy()
    return _with_labels(days, payments["is_fraud"].to_numpy(bool) | turned)


def _all(days: Days, in_holdout: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """All payments as they lie in the files, and which of them may get another label."""
    payments = pd.concat(days.values(), ignore_index=True)
    chosen = holdout(in_order(days)) if in_holdout else payments
    return payments, payments["transaction_id"].isin(chosen["transaction_id"]).to_numpy()


def _with_labels(days: Days, frauds: np.ndarray) -> dict[str, pd.DataFrame]:
    ends = np.cumsum([len(payments) for payments in days.values()])[:-1]
    parts = zip(days.items(), np.split(frauds, ends), strict=True)
    return {name: payments.assign(is_fraud=labels) for (name, payments), labels in parts}
