"""Pairs of `metrics.json` for the gate, and what it must decide about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Metrics = dict[str, Any]
Change = Callable[[Metrics], Any]

OVERALL_SLACK, SLICE_SLACK, SLICE_FRAUDS = 0.005, 0.05, 20
HAIR = 0.000001


def _lossy(slack: float) -> list[float]:
    """Figures of four digits which, less another one that is lower by `slack`, give a little more in binary."""
    return [k / 10_000 for k in range(6_000, 8_000) if k / 10_000 - round(k / 10_000 - slack, 4) > slack]


LOSSY, LOSSY_SLICE = _lossy(OVERALL_SLACK), _lossy(SLICE_SLACK)


def champion(rng: np.random.Generator) -> Metrics:
    """A champion's metrics: two large slices, and one with too few frauds to judge by."""

    def figure(rows: int, frauds: int, among: list[float] = LOSSY_SLICE) -> Metrics:
        return {"rows": rows, "frauds": frauds, "average_precision": float(rng.choice(among))}

    return {
        "model_version": f"champion-{int(rng.integers(1e6))}",
        "config": {"seed": 7, "holdout_days": 7, "review_share": 0.05},
        "rows": {"train": 3300, "holdout": 840, "refused": 0},
        "threshold": 0.8,
        "holdout": {"id": f"rows-{int(rng.integers(1e6))}", **figure(840, 140, LOSSY)},
        "slices": {
            "collect": figure(200, SLICE_FRAUDS + int(rng.integers(40))),
            "intent": figure(300, SLICE_FRAUDS),
            "autopay": figure(40, SLICE_FRAUDS - 1),
        },
    }


def moved(metrics: Metrics, overall: float = 0.0, **slices: float) -> Metrics:
    """The metrics of another model on the same rows, better or worse by so much."""
    other = json.loads(json.dumps(metrics)) | {"model_version": "candidate", "threshold": 0.75}
    for figure, difference in (
        (other["holdout"], overall),
        *((other["slices"][name], difference) for name, difference in slices.items()),
    ):
        figure["average_precision"] = round(figure["average_precision"] + difference, 9)
    return other


Case = tuple[str, Metrics, str]  # what the candidate is, its metrics, what to think about

IN_USE = "A gate that stops good models is soon switched off. Compare with the contract's slack."
EXACTLY = "Exactly the slack is not more. In binary 0.75 - 0.745 is above 0.005: allow 0.000000001."
MORE = "More than the slack, if only a little, is refused: compare the figures as they are, not rounded."
STATUS = "CI looks at the exit status, and at nothing else: `sys.exit(…)` with the decision."
EACH_SLICE = "A mean can rise while one channel is left alone. Compare each slice with enough frauds."


def no_worse(metrics: Metrics) -> Iterator[Case]:
    yield "the same figures", moved(metrics), IN_USE
    yield "better everywhere", moved(metrics, 0.03, collect=0.05, intent=0.02, autopay=0.01), IN_USE
    yield "exactly 0.005 worse overall", moved(metrics, -OVERALL_SLACK), EXACTLY
    yield "exactly 0.05 worse on `intent`", moved(metrics, 0.01, intent=-SLICE_SLACK), EXACTLY
    few = "Which of the two models counts the frauds of a slice, and how many are enough?"
    yield "0.3 worse on a slice of 19 frauds: too few to judge by", moved(metrics, 0.01, autopay=-0.3), few


def worse(metrics: Metrics) -> Iterator[Case]:
    yield "0.2 worse overall", moved(metrics, -0.2), STATUS
    yield "0.005001 worse overall", moved(metrics, -OVERALL_SLACK - HAIR), MORE
    better = dict.fromkeys(metrics["slices"], 0.1)
    hint = "A better slice does not make good for a worse whole."
    yield "0.02 worse overall, better on every slice", moved(metrics, -0.02, **better), hint


def worse_on_a_slice(metrics: Metrics) -> Iterator[Case]:
    yield "0.05 better overall, 0.2 worse on `collect`", moved(metrics, 0.05, collect=-0.2), EACH_SLICE
    worse = moved(metrics, 0.05, intent=-SLICE_SLACK - HAIR)
    yield "0.050001 worse on `intent`, which has 20 frauds", worse, MORE


def broken(metrics: Metrics) -> Iterator[tuple[str, str | None]]:
    """What the candidate's file holds; None: there is no file."""
    good = moved(metrics, 0.1)
    text = json.dumps(good)
    yield "there is no `metrics.json`", None
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
