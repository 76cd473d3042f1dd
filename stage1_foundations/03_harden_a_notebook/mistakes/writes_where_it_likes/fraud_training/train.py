"""The command `train`: data and settings in, a new model folder out; whole, or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sklearn.metrics import average_precision_score

from fraud_serving.json_log import Stopped, note, warn
from fraud_serving.scorecard import Scorecard
from fraud_training.dataset import Labelled, Split, fingerprint, read_folder, split
from fraud_training.fit import FOLDS, fit
from fraud_training.settings import Settings


def train(settings: Settings, data: Path, out: Path) -> dict[str, Any]:
    """Train, evaluate on the holdout, and leave everything in the new folder `out`. Returns the metrics.

    Raises:
        Stopped: `out` is in use, or the data cannot be trained on.
    """
    if not data.is_dir():
        raise Stopped("no_such_folder", data=str(data))
    rows, refused = read_folder(data)
    if refused:
        warn("rows_refused", rows=refused)
    parts = split(rows, settings.holdout_days)
    _require_both_classes("train", parts.train, FOLDS)
    _require_both_classes("holdout", parts.holdout, 1)
    note("data_read", train=len(parts.train), holdout=len(parts.holdout), refused=refused)

    card = fit(parts.train, settings.seed, settings.review_share)
    scores = [card.probability(row.payment) for row in parts.holdout]
    metrics = {
        "model_version": card.version,
        "config": asdict(settings),
        "rows": {"train": len(parts.train), "holdout": len(parts.holdout), "refused": refused},
        "threshold": card.threshold,
        "holdout": {"id": fingerprint(parts.holdout), **_measured(parts.holdout, scores)},
        "slices": _by_channel(parts.holdout, scores),
    }
    _write(out, card, metrics, parts, scores)
    note("model_written", model_version=card.version, **metrics["holdout"])
    return metrics


def _require_both_classes(part: str, rows: Sequence[Labelled], least: int) -> None:
    frauds = sum(row.is_fraud for row in rows)
    if min(frauds, len(rows) - frauds) < least:
        raise Stopped("too_few_rows", part=part, rows=len(rows), frauds=frauds)


def _measured(rows: Sequence[Labelled], scores: Sequence[float]) -> dict[str, Any]:
    labels = [row.is_fraud for row in rows]
    precision = float(average_precision_score(labels, scores))
    return {"rows": len(rows), "frauds": sum(labels), "average_precision": precision}


def _by_channel(rows: Sequence[Labelled], scores: Sequence[float]) -> dict[str, dict[str, Any]]:
    """The same figures for each channel that has a fraud: without one there is nothing to measure."""
    slices: dict[str, tuple[list[Labelled], list[float]]] = {}
    for row, score in zip(rows, scores, strict=True):
        if row.payment.channel is not None:
            members, theirs = slices.setdefault(row.payment.channel, ([], []))
            members.append(row)
            theirs.append(score)
    return {
        channel: _measured(members, theirs)
        for channel, (members, theirs) in sorted(slices.items())
        if any(row.is_fraud for row in members)
    }


def _write(
    out: Path, card: Scorecard, metrics: dict[str, Any], parts: Split, scores: Sequence[float]
) -> None:
    """Write beside `out`, then rename: nobody ever sees half a model folder."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        partial.chmod(0o755)
        card.save(partial)
        lines = [
            json.dumps({"transaction_id": row.payment.transaction_id, "fraud_probability": score})
            for row, score in zip(parts.holdout, scores, strict=True)
        ]
        (partial / "holdout_scores.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (partial / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
