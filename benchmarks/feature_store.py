"""The feature store of the lab `feature_store`, against plain Feast and against pandas `merge_asof`.

    python benchmarks/feature_store.py [--payers 5000] [--rows 20000] [--reads 2000] [--rounds 5]

All run in one process, on one history, in turn, round after round, so that a busy moment of the machine touches all
alike. Rates are medians over rounds, ratios the median of each round's own ratio. Plain Feast is
`get_historical_features` on its DuckDB store and `get_online_features` on SQLite, with the lab's own views, for the
four features alone: no status, no age, no deletions, no order of rows. `merge_asof` knows no time of creation; it is
here as the least that a join costs. It prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
SOLUTION = ROOT / "stage3_projects" / "03_feature_store" / "solution"
NIGHT = datetime(2026, 10, 5, 20, 30)  # UTC: 02:00 in India
NIGHTS = 10
PLAIN_REFS = [
    "payer_nightly:payer_account_age_days",
    "payer_nightly:payer_mean_amount_30d_paise",
    "payer_stream:payer_txn_count_24h",
]


def nightly(payers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Ten nights of rows for each payer."""
    count = payers * NIGHTS
    event = np.datetime64(NIGHT, "us") - np.repeat(np.arange(NIGHTS), payers) * np.timedelta64(1, "D")
    return pd.DataFrame(
        {
            "payer_id": np.tile(np.arange(payers), NIGHTS),
            "event_timestamp": event,
            "created_timestamp": event + np.timedelta64(10, "m"),
            "payer_account_age_days": rng.integers(1, 3000, count).astype("float64"),
            "payer_mean_amount_30d_paise": rng.integers(5_000, 90_000, count).astype("float64"),
            "is_deleted": False,
        }
    )


def streamed(payers: int, rng: np.random.Generator) -> pd.DataFrame:
    event = np.datetime64(NIGHT + timedelta(hours=1), "us") + rng.integers(0, 1200, payers) * np.timedelta64(
        1, "s"
    )
    return pd.DataFrame(
        {
            "payer_id": np.arange(payers),
            "event_timestamp": event,
            "created_timestamp": event + np.timedelta64(5, "s"),
            "payer_txn_count_24h": rng.integers(0, 9, payers),
            "is_deleted": False,
        }
    )


def asked(rows: int, payers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Payments of the last nine days, in no order."""
    seconds = rng.integers(0, 9 * 86_400, rows) * np.timedelta64(1, "s")
    return pd.DataFrame(
        {
            "payer_id": rng.integers(0, payers, rows),
            "event_timestamp": np.datetime64(NIGHT + timedelta(hours=2), "us") - seconds,
            "amount_paise": rng.integers(100, 500_000, rows),
        }
    )


def joined_by_pandas(entities: pd.DataFrame, nights: pd.DataFrame, stream: pd.DataFrame) -> pd.DataFrame:
    """The latest row of each view at or before each payment; its age is limited, its creation is not looked at."""
    found = entities.assign(row=np.arange(len(entities))).sort_values("event_timestamp")
    for rows, age in ((nights, "2D"), (stream, "60min")):
        rows = rows.drop(columns=["created_timestamp", "is_deleted"]).sort_values("event_timestamp")
        found = pd.merge_asof(found, rows, on="event_timestamp", by="payer_id", tolerance=pd.Timedelta(age))
    found["amount_to_mean_30d"] = found["amount_paise"] / found["payer_mean_amount_30d_paise"]
    return found.sort_values("row")


def seconds(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def table(title: str, unit: str, count: int, taken: dict[str, list[float]], against: str) -> None:
    print(f"\n| {title} | {unit} a second | times {against} |\n|---|---|---|")
    for name, times in taken.items():
        ratio = statistics.median(other / mine for mine, other in zip(times, taken[against], strict=True))
        print(f"| {name} | {count / statistics.median(times):,.0f} | {ratio:.2f} |")


def measure(options: argparse.Namespace) -> None:
    import features
    import online_store

    rng = np.random.default_rng(1)
    nights, stream = nightly(options.payers, rng), streamed(options.payers, rng)
    entities = asked(options.rows, options.payers, rng)
    now = NIGHT + timedelta(hours=1, minutes=30)
    features.apply()
    features.ingest("payer_nightly", nights)
    features.materialize(NIGHT + timedelta(minutes=30))
    features.push(stream)
    store = online_store.store()
    with_zone = entities.assign(event_timestamp=entities["event_timestamp"].dt.tz_localize("UTC"))
    payers = rng.choice(options.payers, options.reads).tolist()
    requests = [{"payer_id": one, "amount_paise": 250_000} for one in payers]
    ratio = "payment_v1:amount_to_mean_30d"
    joins: dict[str, Callable[[], Any]] = {
        "the solution": lambda: features.training_set(entities),
        "plain Feast": lambda: store.get_historical_features(with_zone, [*PLAIN_REFS, ratio]).to_df(),
        "pandas merge_asof": lambda: joined_by_pandas(entities, nights, stream),
    }
    batches: dict[str, Callable[[], Any]] = {
        "the solution": lambda: features.online(payers, [250_000] * len(payers), now),
        "plain Feast": lambda: store.get_online_features([*PLAIN_REFS, ratio], requests).to_dict(),
    }
    single: dict[str, Callable[[], Any]] = {
        "the solution": lambda: [features.online([one], [250_000], now) for one in payers[:100]],
        "plain Feast": lambda: [
            store.get_online_features([*PLAIN_REFS, ratio], [one]).to_dict() for one in requests[:100]
        ],
    }
    wanted = joined_by_pandas(entities, nights, stream)["amount_to_mean_30d"].to_numpy()
    same = np.isclose(
        features.training_set(entities)["amount_to_mean_30d"], wanted, rtol=1e-9, equal_nan=True
    )
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}. ", end="")
    print(
        f"{options.payers:,} payers, {len(nights) + len(stream):,} rows of history, SQLite online. ", end=""
    )
    print(f"The solution and merge_asof agree on {same.mean():.2%} of {len(same):,} payments.")
    for title, unit, count, runs in (
        (f"training set of {options.rows:,} payments", "rows", options.rows, joins),
        (f"online, {options.reads:,} payers in one call", "payers", options.reads, batches),
        ("online, one payer in a call", "payers", 100, single),
    ):
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(options.rounds + 1):
            for name, act in runs.items():
                if (one := seconds(act)) and number:  # the first round only warms up
                    taken[name].append(one)
        table(title, unit, count, taken, "plain Feast")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--payers", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--reads", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.pop("REDIS_URL", None)
    sys.path.insert(0, str(SOLUTION))
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(io.StringIO()):
        os.chdir(scratch)
        try:
            measure(options)
        finally:
            os.chdir(ROOT)


if __name__ == "__main__":
    main()
