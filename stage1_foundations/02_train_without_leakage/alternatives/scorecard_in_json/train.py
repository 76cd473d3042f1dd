"""A scorecard: DuckDB cleans and compares, Newton's method fits, JSON keeps. Log and dictionary must agree.

The threshold is chosen on the last third of the training days, by a scorecard of the days before.
"""

import argparse
import json
import os
import sys

import duckdb
import numpy as np

from terms import ALWAYS, terms

CLEAN = """
    with once as (
        select *, row_number() over (partition by transaction_id order by loaded_at) as copy from payments
    )
    select *, event_time < $border - to_days($holdout_days) as training
    from once
    where copy = 1 and event_time <= $border
    order by event_time, transaction_id
"""


AGREES = """
    select count(seen."{0}") > 0 and count(*) filter (seen."{0}" is distinct from stored."{0}") = 0
    from requests seen join payments stored using (transaction_id)
"""


def fitted(x, y):
    """Penalised logistic regression by Newton's method, from a column of ones and others of any scale."""
    middle, width = x.mean(axis=0), x.std(axis=0)
    middle[0], width[width == 0] = 0.0, 1.0
    x = (x - middle) / width
    weights = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], 3.0)
    penalty[0] = 0.0
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, x.T @ (y - p) - penalty * weights)
        weights = weights + step
        if np.abs(step).max() < 1e-10:
            break
    weights /= width
    weights[0] -= weights[1:] @ middle[1:]
    return weights


def probabilities(x, weights):
    return 1 / (1 + np.exp(-x @ weights))


def losses(frame, costs):
    fraud = frame["is_fraud"].to_numpy(dtype=bool)
    allowed = np.where(fraud, frame["amount_paise"].to_numpy() / 100.0 + costs["allowed_fraud_fee"], 0.0)
    return allowed, np.where(fraud, 0.0, costs["blocked_legitimate"])


def cheapest(frame, scores, costs):
    allowed, blocked = losses(frame, costs)
    grid = np.unique(np.quantile(scores, np.linspace(0.8, 1.0, 400)))
    totals = [np.where(scores >= cut, blocked, allowed).sum() for cut in grid]
    return float(grid[int(np.argmin(totals))])


def average_precision(fraud, scores):
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(fraud[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    precision, recall = hits[ends] / (ends + 1), hits[ends] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def area_under_roc(fraud, scores):
    _values, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positives = fraud.sum()
    return float((rank[fraud].sum() - positives * (positives + 1) / 2) / (positives * (~fraud).sum()))


def train(data, out):
    try:
        with open(f"{data}/export.json", encoding="utf-8") as file:
            said = json.load(file)
        with open(f"{data}/columns.json", encoding="utf-8") as file:
            dictionary = json.load(file)
        db = duckdb.connect()
        db.execute("set threads = 1")
        for table in ("payments", "requests"):
            path = f"{data}/{table}.parquet"
            if not os.path.exists(path):
                raise ValueError(f"{path} is not there")
            path = path.replace("'", "''")
            db.execute(f"create view {table} as select * from read_parquet('{path}')")
        has = {row[0] for row in db.execute("describe payments").fetchall()}
        needed = {"transaction_id", "event_time", "loaded_at", "is_fraud", *ALWAYS}
        if needed - has:
            raise ValueError(f"no column {sorted(needed - has)}")
        border = "cast($exported_at as timestamp) - to_days($final)"
        clean = db.execute(
            CLEAN.replace("$border", f"({border})"),
            {
                "exported_at": said["exported_at"].removesuffix("Z"),
                "final": said["label_final_after_days"],
                "holdout_days": said["holdout_days"],
            },
        ).df()
        numbers = [
            name
            for name, column in dictionary.items()
            if column["available"] == "at_payment" and name not in ALWAYS
            if column["type"] == "float64" or name == "payer_txn_count_24h"  # other whole numbers name things
            if db.execute(AGREES.format(name)).fetchone()[0]
        ]
        read, once = db.execute("select count(*), count(distinct transaction_id) from payments").fetchone()
    except (OSError, KeyError, duckdb.Error) as error:
        raise ValueError(f"unusable export: {error}") from error
    parts = [
        clean[clean["training"]].reset_index(drop=True),
        clean[~clean["training"]].reset_index(drop=True),
    ]
    if any(part["is_fraud"].astype(bool).nunique() < 2 for part in parts):
        raise ValueError("training days and holdout need both frauds and legitimate payments")
    training, holdout = parts

    x, y = terms(training, numbers), training["is_fraud"].to_numpy(dtype=float)
    early = len(training) * 2 // 3
    unseen = probabilities(x[early:], fitted(x[:early], y[:early]))
    threshold = cheapest(training[early:], unseen, said["costs_rupees"])
    weights = fitted(x, y)
    scores = probabilities(terms(holdout, numbers), weights)
    fraud = holdout["is_fraud"].to_numpy(dtype=bool)
    allowed, blocked = losses(holdout, said["costs_rupees"])
    top = np.argsort(-scores, kind="stable")[: said["reviews_per_day"] * said["holdout_days"]]
    metrics = {
        "features": [*ALWAYS, *numbers],
        "rows": {
            "read": read,
            "copies": read - once,
            "waiting": once - len(clean),
            "train": len(training),
            "holdout": len(holdout),
        },
        "threshold": threshold,
        "holdout": {
            "frauds": int(fraud.sum()),
            "pr_auc": round(average_precision(fraud, scores), 6),
            "roc_auc": round(area_under_roc(fraud, scores), 6),
            "recall_at_capacity": round(float(fraud[top].sum() / fraud.sum()), 6),
            "cost_rupees": round(float(np.where(scores >= threshold, blocked, allowed).sum()), 2),
            "cost_allowing_all_rupees": round(float(allowed.sum()), 2),
        },
    }
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/scorecard.json", "w", encoding="utf-8") as file:
        json.dump({"weights": weights.tolist(), "numbers": numbers}, file)
    with open(f"{out}/metrics.json", "w", encoding="utf-8") as file:
        json.dump(metrics, file)
    return metrics


if __name__ == "__main__":
    cli = argparse.ArgumentParser()
    cli.add_argument("--data", required=True)
    cli.add_argument("--out", required=True)
    args = cli.parse_args()
    try:
        train(args.data, args.out)
    except ValueError as error:
        sys.exit(f"cannot train: {error}")
