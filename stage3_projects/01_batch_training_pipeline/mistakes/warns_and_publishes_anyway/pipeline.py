"""The nightly `offers` pipeline of Nukkad Pay: ingest, validate, features, train, evaluate, publish.

    python pipeline.py run --date 2026-11-08 --landing DIR --lake DIR
    python pipeline.py backfill --start 2026-11-01 --end 2026-11-14 --landing DIR --lake DIR
    python pipeline.py score --lake DIR --input offers.parquet --output scores.parquet

What a date's run publishes follows from the landing folder, `pipeline.toml` and `features.py` alone. It does not matter
which runs came before, or how they ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import flow, tags, task

import deliveries
import lease
import model as models
import publishing
from days import BATCH_ROWS, Day, copy_in, fit_for_use, in_proportion
from model import Model
from settings import DataGate, EvalGate, LeaseHeld, PipelineError, Settings, UpstreamMissing

SOME_DATES_FAILED = 7


@task
def ingest(day: date, landing: Path, lake: Path, window_days: int) -> tuple[Day, list[Day]]:
    """The day's copy, and those of the days before it that were delivered whole. Retried while the day is not there."""
    today = copy_in(deliveries.find(landing, day), lake)
    before = []
    for back in range(window_days, 0, -1):
        try:
            before.append(copy_in(deliveries.find(landing, day - timedelta(days=back)), lake))
        except UpstreamMissing:
            continue  # an old day that never came whole is not worth waiting for
    return today, before


@task
def validate(today: Day, before: list[Day], settings: Settings) -> list[Day]:
    """The data gate. Returns the days to train on: those before that pass it themselves."""
    training = [day for day in before if _fits(day, settings)]
    if not _fits(today, settings):
        print(f"warning: {today.day} looks odd", file=sys.stderr)
    if not training:
        raise DataGate(f"data gate: rows: no day before {today.day} is fit to train on")
    return training


def _fits(day: Day, settings: Settings) -> bool:
    try:
        fit_for_use(day, settings)
    except DataGate:
        return False
    return True


@task
def features(training: list[Day], lake: Path) -> list[Path]:
    return [models.sample(day, lake) for day in training]


@task
def train(samples: list[Path]) -> Model:
    return models.fit(samples)


@task
def evaluate(
    today: Day, training: list[Day], model: Model, published: dict[str, Any], settings: Settings
) -> dict[str, Any]:
    """The eval gate, on all of today, which the model has not seen."""
    from sklearn.metrics import roc_auc_score

    scores, labels = [], []
    for impressions, redeemed in today.batches():
        scores.append(model.score(impressions).astype(np.float32))  # ten million of them are 40 MB
        labels.append(redeemed)
    auc = float(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))
    if not auc >= settings.min_auc:  # also when there is none, because all labels are equal
        print(f"warning: auc {auc:.4f} is below {settings.min_auc}", file=sys.stderr)
    earlier = max((name for name in published["dates"] if name < str(today.day)), default=None)
    if earlier is not None:
        last = published["dates"][earlier]["metrics"]["auc"]
        if auc < last - settings.max_auc_drop:
            raise EvalGate(f"eval gate: auc drop: {auc:.4f}, and {last:.4f} on {earlier}")
    days = [str(day.day) for day in training]
    return {"auc": round(auc, 6), "test_rows": today.facts.rows, "train_days": days}


@task
def publish(today: Day, model: Model, metrics: dict[str, Any], lake: Path, settings: Settings) -> None:
    """Make the ranking and swap it in, unless the lease is no longer ours."""
    ranking = publishing.rank(today, model, settings.offers_per_payer)
    publishing.publish(lake, today.day, ranking, model, metrics, settings.parts, lease.must_be_ours)


# An async flow ends at once; a sync one waits up to a second for the thread of Prefect's heartbeat.
@flow(name="offers", flow_run_name="offers-{day}")
async def offers(day: str, landing: str, lake: str) -> None:
    """Publish one date, or raise a `PipelineError`, whose words Prefect shows as the state's message."""
    when, source, target, settings = date.fromisoformat(day), Path(landing), Path(lake), Settings.load()
    delays = list(settings.retry_delays_seconds)
    patient = ingest.with_options(
        retries=len(delays), retry_delay_seconds=delays, retry_condition_fn=_is_late
    )
    today, before = patient(when, source, target, settings.window_days)
    training = validate(today, before, settings)
    samples = features(training, target)
    model = train(samples)
    metrics = evaluate(today, training, model, publishing.read_manifest(target), settings)
    publish(today, model, metrics, target, settings)


def _is_late(_task: Any, _run: Any, state: Any) -> bool:
    """Waiting helps against an upstream that is late, and against nothing else."""
    try:
        state.result()
    except UpstreamMissing:
        return True
    except Exception:
        return False
    return False


async def attempt(day: date, landing: Path, lake: Path) -> int:
    """Run one date; say on standard output what became of it. Returns its status, and never raises."""
    status, reason = 0, "published"
    try:
        with tags("offers", f"dt:{day}"):
            await offers(str(day), str(landing), str(lake))
    except PipelineError as error:
        status, reason = error.status, str(error)
    except Exception as error:  # a fault of ours, which Prefect has logged: the next date may still do
        status, reason = PipelineError.status, f"{type(error).__name__}: {error}"
    report(day, status, reason)
    return status


def report(day: date, status: int, reason: str) -> None:
    print(json.dumps({"date": str(day), "status": status, "reason": reason}), flush=True)


def score(lake: Path, source: Path, target: Path) -> int:
    """Score impressions with the model of the latest published date."""
    manifest = publishing.read_manifest(lake)
    path = lake / manifest["dates"][manifest["latest"]]["model"]["path"]
    model = Model.from_json(path.read_bytes())
    schema = pa.schema([("impression_id", pa.int64()), ("score", pa.float64())])
    with pq.ParquetWriter(target, schema) as writer:
        for batch in pq.ParquetFile(source).iter_batches(BATCH_ROWS):
            frame = batch.to_pandas()
            scored = pd.DataFrame({"impression_id": frame["impression_id"], "score": model.score(frame)})
            writer.write_table(pa.Table.from_pandas(scored, schema, preserve_index=False))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    asked = arguments().parse_args(argv)
    if asked.command == "score":
        return score(asked.lake, asked.input, asked.output)
    days = (
        [asked.date]
        if asked.command == "run"
        else sorted(set(asked.dates or every_day(asked.start, asked.end)))
    )
    try:
        with lease.held():
            statuses = asyncio.run(attempt_all(days, asked.landing, asked.lake))
    except LeaseHeld as error:
        report(days[0], error.status, str(error))
        return error.status
    if asked.command == "run" or statuses[-1] == LeaseHeld.status:
        return statuses[-1]
    return SOME_DATES_FAILED if any(statuses) else 0


async def attempt_all(days: Sequence[date], landing: Path, lake: Path) -> list[int]:
    """Oldest first, because the eval gate looks at the published date before. Only a lost lease stops the rest."""
    statuses: list[int] = []
    for day in days:
        statuses.append(await attempt(day, landing, lake))
        if statuses[-1] == LeaseHeld.status:
            break
    return statuses


def every_day(start: date, end: date) -> list[date]:
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run, backfill, scoring = (commands.add_parser(name) for name in ("run", "backfill", "score"))
    run.add_argument("--date", type=date.fromisoformat, required=True)
    backfill.add_argument("--start", type=date.fromisoformat)
    backfill.add_argument("--end", type=date.fromisoformat, help="the last date, included")
    backfill.add_argument("--dates", type=date.fromisoformat, nargs="+", help="instead of --start and --end")
    for command in (run, backfill):
        command.add_argument("--landing", type=Path, required=True)
    for command in (run, backfill, scoring):
        command.add_argument("--lake", type=Path, required=True)
    scoring.add_argument("--input", type=Path, required=True)
    scoring.add_argument("--output", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
