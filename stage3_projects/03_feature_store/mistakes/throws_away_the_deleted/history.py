"""The offline store: one Parquet file for each upstream. Rows are only ever added, with every column that came.

All versions of a view read the same file, so a new version has a past from its first day, and taking a version back
loses nothing.
"""

from __future__ import annotations

import os

import pandas as pd

from definitions import NIGHTLY, STREAM, history_file
from ratio import PAISE_PER_RUPEE
from times import utc

KEY = ["payer_id", "event_timestamp", "created_timestamp"]
COLUMNS = {
    NIGHTLY.name: {
        "payer_account_age_days": "float64",
        "payer_mean_amount_30d_paise": "float64",
        "payer_mean_amount_30d_rupees": "float64",
        "payer_merchants_30d": "float64",
    },
    STREAM.name: {"payer_txn_count_24h": "int64"},
}
BOOKKEEPING = {"is_deleted": "bool", "created_us": "int64"}


def create(upstream: str) -> None:
    """An empty file where there is none: Feast reads the names of the columns from it."""
    if not history_file(upstream).exists():
        _replace(upstream, shaped(upstream, pd.DataFrame(columns=[*KEY, *COLUMNS[upstream], "is_deleted"])))


def append(upstream: str, rows: pd.DataFrame) -> None:
    """Add rows as they came from upstream."""
    alive = rows[~rows["is_deleted"]]
    _replace(upstream, pd.concat([read(upstream), shaped(upstream, alive)], ignore_index=True))


def read(upstream: str) -> pd.DataFrame:
    return pd.read_parquet(history_file(upstream))


def as_of(upstream: str, end: pd.Timestamp) -> pd.DataFrame:
    """The row that counts for each payer at `end`: what had happened by then, and was known by then."""
    rows = read(upstream)
    return latest(rows[(rows["event_timestamp"] <= end) & (rows["created_timestamp"] <= end)])


def latest(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per payer: the latest event; of equal events, the one that was created last."""
    return rows.sort_values(KEY, kind="stable").drop_duplicates("payer_id", keep="last")


def shaped(upstream: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows from upstream with the columns and types of the history."""
    rows = rows.assign(**{column: utc(rows[column]) for column in KEY[1:]})
    rows["created_us"] = rows["created_timestamp"].astype("int64")
    if upstream == NIGHTLY.name:
        rows["payer_mean_amount_30d_rupees"] = rows["payer_mean_amount_30d_paise"] / PAISE_PER_RUPEE
        if "payer_merchants_30d" not in rows:
            rows["payer_merchants_30d"] = float("nan")  # the job does not write it yet
    types = {**COLUMNS[upstream], **BOOKKEEPING}
    counts = [name for name, kind in COLUMNS[upstream].items() if kind == "int64"]
    rows[counts] = rows[counts].mask(
        rows["is_deleted"].astype(bool), 0
    )  # a deleted row may hold nulls: nobody sees them
    return rows[[*KEY, *types]].astype({"payer_id": "int64", **types})


def _replace(upstream: str, rows: pd.DataFrame) -> None:
    """Write beside the file, then rename: a reader sees the old file or the new one, never half of it."""
    file = history_file(upstream)
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".new")
    rows.to_parquet(half, index=False)
    os.replace(half, file)
