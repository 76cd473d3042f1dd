"""Pairs of `metrics.json` for the gate, and what it must decide about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Metrics = dict[str, Any]
Change = Callable[[Metrics], Any]

OVERALL_SLACK, SLICE_SLACK, SLICE_FRAUDS = 0.005, 0.05, 20
HAIR = 0.0005


def champion(rng: np.random.Generator) -> Metrics:
    """A champion's metrics: two large slices, and one with too few frauds to judge by."""

    def figure(rows: int, frauds: int) -> Metrics:
        return {"rows": rows, "frauds": frauds, "average_precision": round(float(rng.uniform(0.6, 0.8)), 4)}

    return {
        "model_version": f"champion-{int(rng.integers(1e6))}",
        "config": {"seed": 7, "holdout_days": 7, "review_share": 0.05},
        "rows": {"train": 3300, "holdout": 840, "refused": 0},
        "threshold": 0.8,
        "holdout": {"id": f"rows-{int(rng.integers(1e6))}", **figure(840, 140)},
        "slices": {
            "collect": figure(200, SLICE_FRAUDS + int(rng.integers(40))),
            "intent": figure(300, SLICE_FRAUDS),
            "autopay": figure(40, SLICE_FRAUDS - 1),
        },
    }


def moved(metrics: Metrics, overall: float = 0.0, **slices: float) -> Metrics:
    """The metrics of another model on the same rows, better or worse by so much."""
    other = json.loads(json.dumps(metrics)) | {"model_version": "candidate", "threshold": 0.75}
    other["holdout"]["average_precision"] += overall
    for name, difference in slices.items():
        other["slices"][name]["average_precision"] += difference
    return other


def no_worse(metrics: Metrics) -> Iterator[tuple[str, Metrics]]:
    yield "the same figures", moved(metrics)
    yield "better everywhere", moved(metrics, 0.03, collect=0.05, intent=0.02, autopay=0.01)
    yield "0.0045 worse overall: within the slack", moved(metrics, -OVERALL_SLACK + HAIR)
    yield "0.0495 worse on a large slice: within the slack", moved(metrics, 0.01, intent=-SLICE_SLACK + HAIR)
    yield "0.3 worse on a slice of 19 frauds: too few to judge by", moved(metrics, 0.01, autopay=-0.3)


def worse(metrics: Metrics) -> Iterator[tuple[str, Metrics]]:
    yield "0.2 worse overall", moved(metrics, -0.2)
    yield "0.0055 worse overall", moved(metrics, -OVERALL_SLACK - HAIR)
    yield (
        "0.02 worse overall, better on every slice",
        moved(metrics, -0.02, collect=0.1, intent=0.1, autopay=0.1),
    )


def worse_on_a_slice(metrics: Metrics) -> Iterator[tuple[str, Metrics]]:
    yield "0.05 better overall, 0.2 worse on `collect`", moved(metrics, 0.05, collect=-0.2)
    yield "0.0505 worse on `intent`, which has 20 frauds", moved(metrics, 0.05, intent=-SLICE_SLACK - HAIR)


def broken(metrics: Metrics) -> Iterator[tuple[str, str | None]]:
    """What the candidate's file holds; None: there is no file."""
    good = moved(metrics, 0.1)
    text = json.dumps(good)
    yield "there is no `metrics.json`", None
    yield "`metrics.json` has 0 bytes", ""
    yield "`metrics.json` ends in the middle", text[: len(text) // 2]
    yield "`metrics.json` is a list", json.dumps([good])
    for words, change in WRONG.items():
        yield words, json.dumps(changed(good, change))


def changed(metrics: Metrics, change: Change) -> Metrics:
    other = json.loads(json.dumps(metrics))
    change(other)
    return other


WRONG: dict[str, Change] = {
    "its average_precision is NaN": lambda m: m["holdout"].update(average_precision=float("nan")),
    "its average_precision is 1.3": lambda m: m["holdout"].update(average_precision=1.3),
    'its average_precision is the text "0.9"': lambda m: m["holdout"].update(average_precision="0.9"),
    "it has no `holdout`": lambda m: m.pop("holdout"),
    "it has no `slices`": lambda m: m.pop("slices"),
    "`collect` is missing in its slices": lambda m: m["slices"].pop("collect"),
    "the average_precision of its `collect` is null": lambda m: m["slices"]["collect"].update(
        average_precision=None
    ),
    "its `holdout.id` is another one": lambda m: m["holdout"].update(id="other rows"),
    "its average_precision is true": lambda m: m["holdout"].update(average_precision=True),
    "it counts -5 frauds": lambda m: m["holdout"].update(frauds=-5),
    "it has a slice that the champion does not have": lambda m: m["slices"].update(
        qr={"rows": 90, "frauds": 9, "average_precision": 0.7}
    ),
}
