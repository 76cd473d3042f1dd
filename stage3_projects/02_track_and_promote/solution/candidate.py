"""A registered version as the gate sees it: its files, its card, its figures on today's payments."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from figures import cost_rupees, pr_auc, pr_auc_by_slice
from fingerprint import fingerprint
from quick_mlflow import mlflow
from registry import Registry
from settings import CARD_FILE

TIMED_ROWS = 50
LEAST_FRAUDS_OF_A_SLICE = 50


@dataclass(frozen=True)
class Evaluation:
    """What a version is worth on payments that the gate has read, now."""

    pr_auc: float
    cost_rupees: float
    slices: dict[str, float]
    p95_ms: float


class Candidate:
    """One version of a registered model."""

    def __init__(self, registry: Registry, version: int) -> None:
        self.version = version
        self._entry = registry.version(version)
        self._folder = Path(mlflow.artifacts.download_artifacts(self._entry["source"]))

    @cached_property
    def is_as_logged(self) -> bool:
        """Whether its files are those that were logged."""
        return self._entry["tags"].get("artifact_sha256") == fingerprint(self._folder)

    @cached_property
    def description(self) -> mlflow.models.Model:
        """The file `MLmodel`. Reading it runs none of the model's code."""
        return mlflow.models.Model.load(str(self._folder))

    @property
    def signature(self) -> dict[str, Any] | None:
        """Names and types of what goes in and what comes out, in order."""
        return self.description.signature.to_dict() if self.description.signature else None

    @property
    def features(self) -> list[str]:
        schema = self.description.get_input_schema()
        return list(schema.input_names()) if schema else []

    @property
    def threshold(self) -> float:
        return float((self.description.metadata or {}).get("threshold", math.nan))

    @cached_property
    def card(self) -> Any:
        """The run's model card; None if there is none that can be read."""
        try:
            return json.loads(mlflow.artifacts.load_text(f"runs:/{self._entry['run_id']}/{CARD_FILE}"))
        except (mlflow.MlflowException, OSError, ValueError):
            return None

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a true card says."""
        data = mlflow.get_run(self._entry["run_id"]).data
        return {
            "model": self._entry["name"],
            "data_sha256": data.params.get("data_sha256"),
            "features": self.features,
            "threshold": self.threshold,
            "metrics": data.metrics,
        }

    def evaluate(self, payments: pd.DataFrame) -> Evaluation:
        """Load it, and measure it. What its training said of it has no weight here."""
        model = mlflow.pyfunc.load_model(str(self._folder))
        frame = payments[self.features]
        scores = np.asarray(model.predict(frame))[:, 1]
        return Evaluation(
            pr_auc(payments, scores),
            cost_rupees(payments, scores, self.threshold),
            pr_auc_by_slice(payments, scores, LEAST_FRAUDS_OF_A_SLICE),
            p95_ms(model, frame),
        )


def p95_ms(model: Any, frame: pd.DataFrame) -> float:
    """The 95th percentile of the time for one row, over many different rows."""
    model.predict(frame.iloc[:1])
    seconds = []
    for place in np.linspace(0, len(frame) - 1, TIMED_ROWS, dtype=int):
        row = frame.iloc[place : place + 1]
        began = time.perf_counter()
        model.predict(row)
        seconds.append(time.perf_counter() - began)
    return float(np.percentile(seconds, 95)) * 1000
