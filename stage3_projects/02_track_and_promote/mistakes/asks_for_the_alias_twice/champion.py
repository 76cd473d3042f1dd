"""What a serving process asks: `decide(rows)`, by the champion, with its own threshold and its own columns."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pandas as pd

from quick_mlflow import mlflow
from registry import Registry
from settings import model_name

ASK_EVERY_SECONDS = 0.5
WAIT_SECONDS = 1.0  # a payment waits for this when the registry is silent
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """One version, whole. It is never changed: another champion is another object."""

    version: int
    threshold: float  # score, from which on to block
    columns: Mapping[str, Any]  # name: NumPy type; JSON does not tell 3 from 3.0, and MLflow does
    model: Any

    def decide(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        frame = pd.DataFrame(list(rows))[list(self.columns)].astype(dict(self.columns))
        scores = np.asarray(self.model.predict(frame))[:, 1]
        return {
            "version": self.version,
            "threshold": self.threshold,
            "scores": scores.tolist(),
            "block": (scores >= self.threshold).tolist(),
        }


def load(name: str, version: int) -> Served:
    """The champion's model, its threshold and its columns."""
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    schema = model.metadata.get_input_schema()
    columns = dict(zip(schema.input_names(), schema.pandas_types(), strict=True))
    return Served(version, float(model.metadata.metadata["threshold"]), columns, model)


class Champion:
    """The champion, asked for again from time to time. Threads may share it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._asked = float("-inf")

    def served(self) -> Served:
        """The champion as of at most ASK_EVERY_SECONDS ago; the last one known while the registry is silent.

        Raises:
            LookupError: there is no champion, or none could be loaded yet.
        """
        with self._lock:
            if time.monotonic() - self._asked >= ASK_EVERY_SECONDS:
                self._refresh()
                self._asked = time.monotonic()
            if self._served is None:
                raise LookupError(f"{self._registry.model} has no champion")
            return self._served

    def _refresh(self) -> None:
        try:
            client = mlflow.MlflowClient()
            version = int(client.get_model_version_by_alias(self._registry.model, "champion").version)
            if version is not None and (self._served is None or version != self._served.version):
                self._served = load(self._registry.model, version)
        except (httpx.HTTPError, mlflow.MlflowException, OSError) as error:
            log.warning("the registry cannot be asked, going on with what we have: %s", error)


_champions: dict[str, Champion] = {}


def decide(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score payments with the champion: `version`, `threshold`, `scores` and `block`, all of one version.

    Raises:
        LookupError: there is no champion.
    """
    name = model_name()
    if name not in _champions:
        _champions[name] = Champion(Registry(name, WAIT_SECONDS))
    return _champions[name].served().decide(rows)
