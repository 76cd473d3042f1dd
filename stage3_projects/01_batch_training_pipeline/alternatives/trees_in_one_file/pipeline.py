"""The `offers` pipeline in one file: plain functions over the landing folder, trees, a versioned folder per publish."""

import argparse
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import threading
import tomllib
from datetime import date, datetime, timedelta
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import redis
from prefect import flow, task
from prefect.context import tags
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

import features as learner_features

NUMBERS = {
    "impression_id": (0, 2**53),
    "payer_id": (0, 2**53),
    "merchant_id": (0, 2**53),
    "hour_ist": (0, 23),
    "discount_percent": (1, 100),
    "min_amount_paise": (100, 10_000_000),
    "payer_mean_amount_30d_paise": (1, 10_000_000),
    "payer_txn_count_30d": (0, 100_000),
    "payer_account_age_days": (0, 36_500),
    "payer_merchant_txn_count_90d": (0, 100_000),
    "payer_offers_shown_7d": (0, 100_000),
    "distance_km": (0, 3_000),
    "redeemed": (0, 1),
}
MAY_BE_NULL = {"payer_mean_amount_30d_paise", "payer_account_age_days", "distance_km"}
NEEDED = [*NUMBERS, "merchant_category", "shown_at"]
EXITS = {"lease": 3, "data gate": 4, "eval gate": 5, "upstream": 6}
ROWS_AT_A_TIME = 65_536


class Stop(Exception):
    """Ends a date. The words before the colon decide the exit status."""

    @property
    def status(self):
        return EXITS[str(self).split(":")[0]]


def settings():
    return tomllib.loads(Path(__file__).with_name("pipeline.toml").read_text())


def delivered(landing, day):
    """Paths of the day's parts, or Stop."""
    folder = Path(landing) / f"dt={day}"
    try:
        manifest = json.loads((folder / "_MANIFEST.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise Stop(f"upstream: no manifest for {day}") from error
    paths = {}
    for part in manifest["parts"]:
        path = folder / part["path"]
        if not path.exists() or hashlib.file_digest(path.open("rb"), "sha256").hexdigest() != part["sha256"]:
            raise Stop(f"upstream: {part['path']} of {day} is not whole")
        paths[part["path"]] = str(path)
    return list(paths.values())


def frames(paths):
    """Frames of unique rows, a few thousand at a time."""
    seen = np.empty(0, dtype=np.int64)
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(ROWS_AT_A_TIME, columns=NEEDED):
            frame = batch.to_pandas().drop_duplicates("impression_id")
            ids = frame["impression_id"].to_numpy()
            fresh = ~np.isin(ids, seen)
            seen = np.union1d(seen, ids)
            if fresh.any():
                yield frame[fresh].reset_index(drop=True)


def check_day(day, paths, share):
    """How many rows the day has; Stop if the data gate closes on what it holds."""
    for path in paths:
        schema = pq.read_schema(path)
        for name in NEEDED:
            if name not in schema.names:
                raise Stop(f"data gate: column {name} is missing on {day}")
            text = pa.types.is_string(schema.field(name).type)
            if text != (name == "merchant_category"):
                raise Stop(f"data gate: column {name} has another type on {day}")
    start = pd.Timestamp(datetime(day.year, day.month, day.day)) - pd.Timedelta(hours=5.5)
    rows, nulls = 0, pd.Series(0, index=NEEDED)
    for frame in frames(paths):
        rows += len(frame)
        nulls += frame[NEEDED].isna().sum()
        for name, (least, most) in NUMBERS.items():
            if ((frame[name] < least) | (frame[name] > most)).any():
                raise Stop(f"data gate: range of {name} on {day}")
        if not frame["merchant_category"].dropna().isin(learner_features.CODES).all():
            raise Stop(f"data gate: range of merchant_category on {day}")
        if (
            not frame["shown_at"]
            .dropna()
            .between(start, start + pd.Timedelta(days=1), inclusive="left")
            .all()
        ):
            raise Stop(f"data gate: range of shown_at on {day}")
    for name in NEEDED:
        if nulls[name] > (share if name in MAY_BE_NULL else 0) * rows:
            raise Stop(f"data gate: nulls in {name} on {day}")
    if not rows:
        raise Stop(f"data gate: rows: none on {day}")
    return rows


@task
def ingest(landing, day):
    return delivered(landing, day)


@task
def validate(landing, day, paths):
    wanted, known = settings(), {}
    share = wanted["validate"]["max_null_share"]
    for back in range(wanted["train"]["window_days"], 0, -1):
        earlier = day - timedelta(days=back)
        try:
            parts = delivered(landing, earlier)
            known[earlier] = (parts, check_day(earlier, parts, share))
        except Stop as stop:
            print(f"{earlier} is left out: {stop}", file=sys.stderr)
    rows = check_day(day, paths, share)
    usual = np.median([count for _, count in known.values()]) if known else 0
    least, most = (wanted["validate"][key] for key in ("min_rows_ratio", "max_rows_ratio"))
    if not usual or not least * usual <= rows <= most * usual:
        raise Stop(f"data gate: rows: {rows} on {day}, usually {usual}")
    return {str(earlier): parts for earlier, (parts, _) in known.items()}, rows


@task
def features(training):
    rows = [
        (learner_features.build(frame), frame["redeemed"])
        for parts in training.values()
        for frame in frames(parts)
    ]
    return pd.concat([built for built, _ in rows]), pd.concat([redeemed for _, redeemed in rows])


@task
def train(rows):
    model = HistGradientBoostingClassifier(max_iter=50, learning_rate=0.08, max_leaf_nodes=12, random_state=1)
    return model.fit(rows[0].to_numpy(), rows[1].to_numpy())


def scores(model, frame):
    return model.predict_proba(learner_features.build(frame).to_numpy())[:, 1]


@task
def evaluate(model, paths, day, lake, training, rows):
    wanted, found = settings()["evaluate"], []
    for frame in frames(paths):
        found.append(pd.DataFrame({"score": scores(model, frame), "redeemed": frame["redeemed"]}))
    found = pd.concat(found)
    auc = round(float(roc_auc_score(found["redeemed"], found["score"])), 8)
    if not auc >= wanted["min_auc"]:
        raise Stop(f"eval gate: auc {auc}")
    published = current(lake)["dates"]
    before = max([name for name in published if name < str(day)], default=None)
    if before and auc < published[before]["metrics"]["auc"] - wanted["max_auc_drop"]:
        raise Stop(f"eval gate: auc drop to {auc} after {before}")
    return {"auc": auc, "test_rows": rows, "train_days": sorted(training)}


@task
def publish(model, paths, day, lake, metrics):
    wanted, best = settings()["publish"], None
    for frame in frames(paths):
        frame = frame[["payer_id", "merchant_id"]].assign(score=scores(model, frame))
        best = pd.concat([best, frame]).sort_values(
            ["payer_id", "score", "merchant_id"], ascending=[True, False, True]
        )
        best = (
            best.drop_duplicates(["payer_id", "merchant_id"])
            .groupby("payer_id")
            .head(wanted["offers_per_payer"])
        )
    best["rank"] = (best.groupby("payer_id").cumcount() + 1).astype(np.int32)
    content = {}
    for number, rows in enumerate(np.array_split(np.arange(len(best)), wanted["parts"])):
        buffer = io.BytesIO()
        best.iloc[rows][["payer_id", "rank", "merchant_id", "score"]].to_parquet(buffer, index=False)
        content[f"{number}.parquet"] = (buffer.getvalue(), len(rows))
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    content["model.joblib"] = (buffer.getvalue(), 0)
    version = hashlib.sha256(b"".join(data for data, _ in content.values())).hexdigest()[:20]
    base = Path(lake) / "published" / "offers"
    base.mkdir(parents=True, exist_ok=True)
    target = base / f"{day}-{version}"
    if not target.exists():
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=base))
        for name, (data, _) in content.items():
            (unfinished / name).write_bytes(data)
        unfinished.rename(target)
    named = [
        {
            "path": f"published/offers/{target.name}/{name}",
            "rows": rows,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        for name, (data, rows) in content.items()
    ]
    manifest = current(lake)
    manifest["dates"][str(day)] = {"parts": named[:-1], "model": named[-1], "metrics": metrics}
    manifest["dates"] = dict(sorted(manifest["dates"].items()))
    manifest["latest"] = max(manifest["dates"])
    (base / ".manifest").write_text(json.dumps(manifest))
    if not Lease.lock.owned():
        raise Stop("lease: lost")
    os.rename(base / ".manifest", base / "manifest.json")
    for left in base.glob(".unfinished-*"):
        shutil.rmtree(left)


def current(lake):
    path = Path(lake) / "published" / "offers" / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {"latest": None, "dates": {}}


@flow(name="offers", flow_run_name="offers-{day}")
def nightly(day: str, landing: str, lake: str):
    when, delays = date.fromisoformat(day), settings()["ingest"]["retry_delays_seconds"]
    paths = ingest.with_options(retries=len(delays), retry_delay_seconds=delays)(landing, when)
    training, rows = validate(landing, when, paths)
    model = train(features(training))
    metrics = evaluate(model, paths, when, lake, training, rows)
    publish(model, paths, when, lake, metrics)


class Lease:
    """redis-py's own lock, with a thread that extends it."""

    lock = None

    def __enter__(self):
        seconds = float(os.environ.get("LEASE_SECONDS", "60"))
        client = redis.Redis.from_url(os.environ["REDIS_URL"])
        lock = client.lock("lease:offers", timeout=seconds, blocking=False, thread_local=False)
        if not lock.acquire():
            raise Stop("lease: somebody else has it")
        Lease.lock, self.over = lock, threading.Event()
        threading.Thread(target=self.extend, args=(seconds,), daemon=True).start()

    def extend(self, seconds):
        while not self.over.wait(seconds / 4):
            try:
                Lease.lock.reacquire()
            except redis.exceptions.LockError:
                return

    def __exit__(self, *_):
        self.over.set()
        if Lease.lock.owned():
            Lease.lock.release()


def one(day, landing, lake):
    try:
        with tags("offers", f"dt:{day}"):
            nightly(str(day), landing, lake)
        status, reason = 0, "published"
    except Stop as stop:
        status, reason = stop.status, str(stop)
    except Exception as error:
        status, reason = 1, repr(error)
    print(json.dumps({"date": str(day), "status": status, "reason": reason}), flush=True)
    return status


def score(lake, source, target):
    manifest = current(lake)
    model = joblib.load(Path(lake) / manifest["dates"][manifest["latest"]]["model"]["path"])
    frame = pd.read_parquet(source)
    pd.DataFrame({"impression_id": frame["impression_id"], "score": scores(model, frame)}).to_parquet(target)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["run", "backfill", "score"])
    for name in ("date", "start", "end"):
        parser.add_argument(f"--{name}", type=date.fromisoformat)
    parser.add_argument("--dates", type=date.fromisoformat, nargs="+")
    for name in ("landing", "lake", "input", "output"):
        parser.add_argument(f"--{name}")
    asked = parser.parse_args()
    if asked.command == "score":
        return score(asked.lake, asked.input, asked.output)
    days = asked.dates or ([asked.date] if asked.date else list(pd.date_range(asked.start, asked.end).date))
    try:
        with Lease():
            statuses = []
            for day in sorted(days):
                statuses.append(one(day, asked.landing, asked.lake))
                if statuses[-1] == EXITS["lease"]:
                    return EXITS["lease"]
    except Stop as stop:
        print(json.dumps({"date": str(days[0]), "status": stop.status, "reason": str(stop)}))
        return stop.status
    return statuses[0] if asked.command == "run" else 7 * any(statuses)


if __name__ == "__main__":
    sys.exit(main())
