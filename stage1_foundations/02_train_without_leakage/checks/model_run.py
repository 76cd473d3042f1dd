"""Drives train.py and score.py from outside, and says what is wrong with what came of it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from labs.checks import same

Floats = npt.NDArray[np.float64]
Scored = dict[str, tuple[Any, Floats]]
SECONDS = 100.0  # for one training, on a machine that may be busy; the brief says it
SAME = 1e-9
ROWS = ("read", "copies", "waiting", "train", "holdout")
FIGURES = ("frauds", "pr_auc", "roc_auc", "recall_at_capacity", "cost_rupees", "cost_allowing_all_rupees")


@dataclass
class Trained:
    """What the first training left behind, and the scores that it gives."""

    files: dict[str, bytes] = field(default_factory=dict)
    document: Any = None  # metrics.json
    metrics: dict[str, Any] = field(default_factory=dict)
    scored: Scored = field(default_factory=dict)  # of batches, by name
    scored_nothing: Scored = field(default_factory=dict)  # by the model of the export that tells nothing
    changed_nothing: list[str] = field(default_factory=list)  # those of them with other values in one column
    threshold_nothing: float = 0.0

    @property
    def threshold(self) -> float:
        return float(self.metrics["threshold"])

    @property
    def on_later_days(self) -> tuple[Any, Floats]:
        """The scores of the days after the export."""
        return self.scored["later days"]

    def deploy(self, work: Any) -> None:
        """Put the model, and nothing else of the training, where `scores` looks for it."""
        for name, data in self.files.items():
            work.put(f"deployed/{name}", data)


def give_export(work: Any, files: dict[str, bytes], folder: str = "export") -> str:
    """Put an export where the learner's processes can read it; its folder."""
    for name, data in files.items():
        work.give(f"{folder}/{name}", data)
    return f"{work.inputs}/{folder}"


def train(work: Any, files: dict[str, bytes], what: str = "an export") -> tuple[Any, Any, dict[str, Any]]:
    """Train on an export, and take the model to where nothing else is. The answer, metrics.json, and what it says."""
    folder = give_export(work, files)
    clear_out(work)
    answer = work.call("train.py:train", folder, "model", timeout=SECONDS)
    answer.did = f'train("export", "model") on {what}  in train.py'
    document = work.read("model/metrics.json")
    metrics = read_metrics(document)
    answer.require(
        same(answer.value, metrics),
        wanted="the metrics, as metrics.json has them",
        got="something else",
        hint="Return the dict that you have written.",
    )
    for name in files:
        work.remove(f"export/{name}")
    work.run("mv", "model", "deployed")
    return answer, document, metrics


def clear_out(work: Any) -> None:
    """Take away what the learner's own trainings left where the checks train to."""
    if any(path.startswith(("model/", "deployed/")) for path in work.files()):
        work.run("rm", "-rf", "model", "deployed")


def left_behind(work: Any) -> dict[str, bytes]:
    """The files of the model, as bytes that nobody here looks into."""
    names = [path.removeprefix("deployed/") for path in work.files() if path.startswith("deployed/")]
    return {name: work.read(f"deployed/{name}").bytes for name in names}


def read_metrics(document: Any) -> dict[str, Any]:
    """metrics.json, with every figure that the contract names, and each of them a finite number."""
    metrics = document.expect(hint="Write the figures with json.dump into OUT/metrics.json.").json()
    document.require(
        isinstance(metrics, dict) and {"features", "rows", "threshold", "holdout"} <= metrics.keys(),
        wanted="a JSON object with `features`, `rows`, `threshold` and `holdout`",
        got="something else",
        hint="Compare your keys with the contract, one by one.",
    )
    features = metrics["features"]
    document.require(
        isinstance(features, list) and features and all(isinstance(name, str) for name in features),
        wanted="`features`: a list of column names",
        got="something else",
    )
    for part, names in (("rows", ROWS), ("holdout", FIGURES)):
        values = metrics[part] if isinstance(metrics[part], dict) else {}
        for name in names:
            _need_number(document, f"{part}.{name}", values.get(name))
    _need_number(document, "threshold", metrics["threshold"])
    return metrics


def _need_number(document: Any, name: str, value: Any) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) < 1e300:
        got = "nothing" if value is None else "something else"
        document.fail(wanted=f"`{name}`: a number", got=got, hint="The contract names each figure.")


def scores(work: Any, payments: pd.DataFrame, what: str = "payments", **options: Any) -> tuple[Any, Floats]:
    """The scores of these payments by the deployed model, and the answer that brought them."""
    answer = work.call("score.py:score", "deployed", payments, timeout=SECONDS, **options)
    answer.did = f'score("deployed", {what})  in score.py'
    if answer.error is not None:
        return answer, np.empty(0)
    try:
        values = np.asarray(answer.value, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    answer.require(
        values.shape == (len(payments),),
        wanted=f"an array with one number for each of {len(payments):,} payments",
        got=f"an array of shape {values.shape}" if values.size else "something else",
        hint="One probability per row, in the order of the rows: `predict_proba(…)[:, 1]`.",
    )
    answer.require(
        np.all((values >= 0) & (values <= 1)),  # not true of NaN either
        wanted="numbers from 0 to 1",
        got="others",
        hint="A score is a probability, also for a payment with gaps.",
    )
    return answer, values


def scores_of_parts(work: Any, parts: dict[str, pd.DataFrame], what: str, **options: Any) -> Scored:
    """The scores of several frames with the same columns, in one call; by name, each with the answer."""
    everything = pd.concat(parts.values(), ignore_index=True)
    answer, found = scores(work, everything, what, **options)
    ends = np.cumsum([len(part) for part in parts.values()])
    scored: Scored = {}
    for name, part in zip(parts, np.split(found, ends[:-1]), strict=True):
        scored[name] = copy(answer), part
        scored[name][0].did = f'score("deployed", payments of {name})  in score.py'
    return scored


def log_odds(probabilities: Floats) -> Floats:
    """log(p / (1 - p)), with certainty taken for one in ten thousand."""
    clipped = np.clip(probabilities, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))


def same_scores(answer: Any, found: Floats, wanted: Floats, hint: str) -> None:
    """Fail unless the scores are those that were there before."""
    moved = np.abs(found - wanted) > SAME
    answer.require(
        not moved.any(),
        wanted="the same scores as before",
        got="other scores",
        hint=hint,
        measured=f"{moved.mean():.1%} of {len(wanted):,} scores changed",
    )
