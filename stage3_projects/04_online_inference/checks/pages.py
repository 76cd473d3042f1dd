"""Days of telemetry with one thing wrong, or with nothing wrong: from Nukkad Pay's world, whose truth we know.

The world knows cold caches, slow dependencies and deploys. Flash sales and harmless deploys are drawn over its frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from labs.world import Incident, World

PER_DAY = 500_000
FIRST = date(2026, 9, 7)
EARLY, LATE = 3, 10  # minutes around the beginning within which an answer is right
PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")


@dataclass(frozen=True)
class Page:
    """A day's telemetry, and the truth: `cause` and `start` are None on a healthy day."""

    words: str
    telemetry: pd.DataFrame
    cause: str | None = None
    start: datetime | None = None


class Replays:
    """Days drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _rng(self, what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, what])

    def _world(self, rng: np.random.Generator, *incidents: Incident, first: date = FIRST) -> World:
        seed = int(rng.integers(1, 10**6))
        return World(seed=seed, first_day=first, transactions_per_day=PER_DAY, incidents=incidents)

    def cold_caches(self) -> Iterator[Page]:
        """Two: one at three in the morning, one at any hour."""
        rng = self._rng(1)
        for hour in (float(rng.uniform(2.5, 4)), float(rng.uniform(8, 20))):
            yield self._incident(rng, "cold_cache", hour, float(rng.uniform(1, 3)), "a cold cache")

    def others(self) -> Iterator[Page]:
        rng = self._rng(2)
        for hour in (float(rng.uniform(2.5, 4)), float(rng.uniform(8, 20))):
            yield self._incident(
                rng, "slow_dependency", hour, float(rng.uniform(1, 3.5)), "a slow dependency"
            )
        yield self._deploy(rng, bad=True)
        yield self._flash_sale(rng)

    def healthy(self) -> Iterator[Page]:
        rng = self._rng(3)
        yield Page("nothing wrong, but minutes missing", self._gaps(rng, self._world(rng).telemetry(0)))
        yield self._deploy(rng, bad=False)
        diwali = date(2026, 11, 8)
        yield Page("Diwali", self._world(rng, first=diwali).telemetry(0))

    def _incident(self, rng: np.random.Generator, kind: str, hour: float, hours: float, words: str) -> Page:
        start = _at(hour)
        severity = round(float(rng.uniform(0.7, 1.0)), 2)
        struck = Incident(kind=kind, start=start, end=start + timedelta(hours=hours), severity=severity)
        frame = self._world(rng, struck).telemetry(0)
        return Page(words, self._gaps(rng, frame, start), kind, start)

    def _deploy(self, rng: np.random.Generator, bad: bool) -> Page:
        """A new version for the rest of the day. A bad one fails some requests and computes for longer."""
        frame = self._world(rng).telemetry(0)
        start = _at(float(rng.uniform(9, 18)))
        after = (frame["minute"] >= start).to_numpy()
        frame["model_version"] = np.where(after, "fraud-4", "fraud-3")
        if not bad:
            return Page("a good deploy", frame)
        share = rng.uniform(0.02, 0.05)
        frame["errors"] += np.where(after, rng.binomial(frame["requests"].to_numpy(), share), 0)
        for name in PERCENTILES:
            frame[name] += np.where(after, rng.uniform(14, 22), 0.0)
        return Page("a bad deploy", frame, "bad_deploy", start)

    def _flash_sale(self, rng: np.random.Generator) -> Page:
        """Two to three times the traffic in a moment: queues, then more replicas. Caches and look-ups do as always."""
        frame = self._world(rng).telemetry(0)
        start, minutes = _at(float(rng.uniform(9, 20))), int(rng.integers(40, 80))
        passed = ((frame["minute"] - start) / pd.Timedelta(minutes=1)).to_numpy()
        during = (passed >= 0) & (passed < minutes)
        factor = float(rng.uniform(2.2, 3.2))
        frame["requests"] = np.where(during, frame["requests"] * factor, frame["requests"]).astype(np.int64)
        queue = np.where(during, np.exp(-np.clip(passed, 0, None) / 12) * rng.uniform(45, 80), 0.0)
        for name, share in zip(PERCENTILES, (0.4, 1.0, 1.5), strict=True):
            frame[name] += share * queue
        frame["errors"] += np.where(during, (frame["requests"] * queue * 2e-4).astype(np.int64), 0)
        grown = np.where(during & (passed >= 2), np.ceil(frame["replicas"] * factor), frame["replicas"])
        frame["replicas"] = grown.astype(np.int64)
        return Page("a traffic spike", frame, "traffic_spike", start)

    def _gaps(
        self, rng: np.random.Generator, frame: pd.DataFrame, start: datetime | None = None
    ) -> pd.DataFrame:
        """Some minutes that monitoring missed: NaN in all that it measures. None around the beginning."""
        measured = [name for name in frame.columns if name not in ("minute", "replicas", "model_version")]
        missing = np.zeros(len(frame), dtype=bool)
        for first in rng.integers(0, len(frame) - 20, 5):
            missing[first : first + int(rng.integers(1, 8))] = True
        if start is not None:
            apart = ((frame["minute"] - start) / pd.Timedelta(minutes=1)).abs().to_numpy()
            missing &= apart > 30
        frame = frame.astype(dict.fromkeys(measured, float))
        frame.loc[missing, measured] = math.nan
        return frame


def _at(hour_ist: float) -> datetime:
    """That hour of the first day in India, as UTC."""
    midnight = datetime(FIRST.year, FIRST.month, FIRST.day) - timedelta(hours=5, minutes=30)
    return midnight + timedelta(minutes=round(hour_ist * 60))


def minutes_apart(answer: Any, start: datetime) -> float | None:
    """How many minutes after `start` the answer lies; None if it is no time."""
    try:
        moment = pd.Timestamp(answer)
    except (ValueError, TypeError):
        return None
    if pd.isna(moment) or moment.tzinfo is not None:
        return None
    apart = (moment - pd.Timestamp(start)).total_seconds() / 60
    return apart if math.isfinite(apart) else None
