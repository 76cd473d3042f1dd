"""Measures labs.world. Each subcommand prints figures that docs/world.md quotes; run it on an idle core.

python benchmarks/world.py speed      # rows per second, against NumPy and scikit-learn in the same run
python benchmarks/world.py memory     # peak memory, streaming few and many days
python benchmarks/world.py learn      # how well fraud can be predicted: by trees, champion, the process
python benchmarks/world.py champion   # fits the weights in labs/world/champion.py
python benchmarks/world.py golden     # rewrites tests/data/world_golden.json (after a wanted change only)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core, for us and for the peers
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from labs.world import Incident, IncidentKind, World  # noqa: E402

TRAIN, TEST = range(0, 45), range(45, 75)
PLAIN = 5  # 6 January 2026, a Tuesday: no salaries, no festival


def speed(rows: int, runs: int) -> None:
    """Median rows/s of whole frames, for a large and a small day, and of two named peers with as many rows
    and columns."""
    from sklearn.datasets import make_classification

    for volume in (rows, 20_000):
        world = World(transactions_per_day=volume)
        count, columns = world.transactions(PLAIN).shape
        work: dict[str, Callable[[], object]] = {
            "World.transactions": partial(world.transactions, PLAIN),
            "World.served": partial(world.served, PLAIN),
            "World.labels": partial(world.labels, PLAIN),
            "World.telemetry": partial(world.telemetry, PLAIN),
            "numpy: as many random doubles": partial(_random_frame, count, columns),
            "scikit-learn: make_classification": partial(make_classification, count, columns, random_state=0),
        }
        walls: dict[str, list[float]] = {name: [] for name in work}
        cpus: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(runs):  # interleaved, so that a slow moment hits all of them
            for name, act in work.items():
                wall, cpu = time.perf_counter(), time.process_time()
                act()
                walls[name].append(time.perf_counter() - wall)
                cpus[name].append(time.process_time() - cpu)
        ours = statistics.median(cpus["World.transactions"])
        print(f"{count:,} rows, {columns} columns, median of {runs} interleaved runs; ratios of CPU time")
        for name in work:
            wall, cpu = statistics.median(walls[name]), statistics.median(cpus[name])
            rates = f"{1e3 * wall:8.1f} ms wall {1e3 * cpu:8.1f} ms CPU {count / cpu / 1e6:6.2f} M rows/CPU-s"
            print(f"  {name:34}{rates} {cpu / ours:6.2f} x transactions")


def memory(rows: int) -> None:
    """Peak resident memory of a fresh process that streams 2, 30 and 75 days and keeps none."""
    for days in (2, 30, 75):
        code = (
            "import sys, resource; sys.path.insert(0, sys.argv[1]); from labs.world import World\n"
            "most = 0\n"
            f"for _, frame in World(transactions_per_day={rows}).stream(days={days}): most = max(most, len(frame))\n"
            "print(most, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, check=True
        )
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # macOS counts bytes, Linux KiB
        largest, peak = map(int, done.stdout.split())
        print(f"{days:3} days, largest {largest:,} rows: peak {peak / unit:,.0f} MiB")


def learn(seed: int) -> None:
    """ROC AUC and PR AUC on later days: boosted trees, the champion's score, and the true probability (the
    ceiling)."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    world = World(seed=seed)
    features, target, _ = _days(world, TRAIN)
    later, fraud, probability = _days(world, TEST)
    model = _boosted_trees().fit(features, target)
    served = np.concatenate([world.served(day)["score"].to_numpy() for day in TEST])
    print(f"seed {seed}: train {len(features):,} rows, days 0-44; test {len(later):,} rows, days 45-74")
    print(f"  fraud rate {fraud.mean():.3%}; mean true probability {probability.mean():.3%}")
    scores = {
        "true probability (ceiling)": probability,
        "HistGradientBoosting": model.predict_proba(later)[:, 1],
        "champion": served,
    }
    for name, score in scores.items():
        roc, precision = roc_auc_score(fraud, score), average_precision_score(fraud, score)
        print(f"  {name:28}ROC AUC {roc:.4f}   PR AUC {precision:.4f}")


def attack(seed: int) -> None:
    """An attack of severity 0.8 from day 45 on: trees from before it, and trees that saw its first eight days."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    opens = World(seed=seed).calendar(45).start
    raid = Incident(IncidentKind.FRAUD_ATTACK, opens, opens + timedelta(days=30), 0.8)
    world = World(seed=seed, incidents=(raid,))
    later, fraud, _ = _days(world, range(53, 75))
    print(f"seed {seed}: fraud attack from day 45; test days 53-74, fraud rate {fraud.mean():.3%}")
    for name, days in (("trained before it, days 0-44", range(45)), ("retrained, days 0-52", range(53))):
        features, target, _ = _days(world, days)
        score = _boosted_trees().fit(features, target).predict_proba(later)[:, 1]
        roc, precision = roc_auc_score(fraud, score), average_precision_score(fraud, score)
        print(f"  {name:30}ROC AUC {roc:.4f}   PR AUC {precision:.4f}")


def champion(seed: int) -> None:
    """Logistic regression on the champion's own terms, clean days 0-44; prints weights to round and paste."""
    from sklearn.linear_model import LogisticRegression

    from labs.world.champion import TERMS, terms
    from labs.world.population import CATEGORIES, CHANNELS

    inputs, targets = [], []
    world = World(seed=seed)
    for day in TRAIN:
        frame = world.transactions(day)
        columns = {name: frame[name].to_numpy() for name in frame if frame[name].dtype != "category"}
        channel = np.eye(len(CHANNELS))[frame["channel"].cat.codes]
        category = np.eye(len(CATEGORIES))[frame["merchant_category"].cat.codes]
        inputs.append(np.column_stack([terms(columns)[:, 1:], channel, category]))
        targets.append(world.truth(day)["is_fraud"].to_numpy())
    fitted = LogisticRegression(C=10.0, max_iter=3000).fit(np.concatenate(inputs), np.concatenate(targets))
    names = [*TERMS[1:], *CHANNELS, *CATEGORIES]
    print(json.dumps({"intercept": round(float(fitted.intercept_[0]), 2)}))
    print(json.dumps(dict(zip(names, np.round(fitted.coef_[0], 2).tolist(), strict=True)), indent=1))


def golden() -> None:
    """Writes the sampled values which every Python must reproduce."""
    sys.path.insert(0, str(ROOT / "tests"))
    from test_world_golden import GOLDEN, sampled

    GOLDEN.write_text(json.dumps(sampled(), indent=1) + "\n")
    print(f"wrote {GOLDEN.relative_to(ROOT)}")


def _random_frame(rows: int, columns: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame({f"c{number}": draw.random(rows) for number in range(columns)}, copy=False)


def _boosted_trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=300,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        l2_regularization=5.0,
        random_state=0,
    )


def _days(world: World, days: range) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    frames = [world.transactions(day) for day in days]
    truths = [world.truth(day) for day in days]
    features = pd.concat(frames).drop(columns=["transaction_id", "event_time", "payer_id", "merchant_id"])
    features["log_amount_ratio"] = np.log(features["amount_paise"] / features["payer_mean_amount_30d_paise"])
    target = np.concatenate([truth["is_fraud"].to_numpy() for truth in truths])
    return features, target, np.concatenate([truth["fraud_probability"].to_numpy() for truth in truths])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("speed", "memory", "learn", "attack", "champion", "golden"),
        help="default: the first 3",
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="transactions per day (speed, memory)")
    parser.add_argument("--runs", type=int, default=9, help="runs to take the median of (speed)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the world (learn, attack, champion)")
    given = parser.parse_args()
    if given.what in ("speed", None):
        speed(given.rows, given.runs)
    if given.what in ("memory", None):
        memory(given.rows)
    if given.what in ("learn", None):
        learn(given.seed)
    if given.what == "attack":
        attack(given.seed)
    if given.what == "champion":
        champion(given.seed)
    if given.what == "golden":
        golden()


if __name__ == "__main__":
    main()
