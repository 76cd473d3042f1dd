"""How many replicas serve `fraud`: one decision every `seconds_per_step`, from one row of telemetry.

Up at once, down slowly. A replica that starts helps only after `start_seconds`, so we look as far ahead. A replica that
ends takes its cache along, so we end few at a time, and only when the last ten minutes agree.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

TARGET_LOAD = 0.64  # of a warm replica; the rest is for noise, starts and colder caches
WINDOW_SECONDS = 600  # traffic must have been lower for so long before replicas are given back
DOWN_EVERY_SECONDS = 120
DOWN_SHARE = 0.08  # of the fleet at a time
TREND_SECONDS = 180


class Autoscaler:
    """Capacity planning on the request rate, with a little foresight and a stabilisation window."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        step = config["seconds_per_step"]
        self.rates: deque[float] = deque(maxlen=TREND_SECONDS // step + 1)
        self.needed: deque[int] = deque(maxlen=WINDOW_SECONDS // step)
        self.last_down = -math.inf

    def decide(self, row: dict[str, Any]) -> int:
        """The number of replicas that should run, from what the last step showed."""
        running = int(row["replicas"]) + int(row["starting"])
        if math.isnan(row["requests"]):
            return self._within(running)  # blind: not knowing is no reason to change anything
        self.rates.append(row["requests"] / self.config["seconds_per_step"])
        needed = math.ceil(self._rate_ahead() / (self.config["replica_rps"] * TARGET_LOAD))
        self.needed.append(needed)
        if needed > running:
            return self._within(needed)
        return self._within(self._fewer(row["seconds"], running))

    def _rate_ahead(self) -> float:
        """The rate when replicas that start now will serve: the trend goes on, but never downwards."""
        now = self.rates[-1]
        if len(self.rates) < 2:
            return now
        span = (len(self.rates) - 1) * self.config["seconds_per_step"]
        slope = (now - self.rates[0]) / span
        return now + max(0.0, min(slope * self.config["start_seconds"], 0.15 * now))

    def _fewer(self, now: float, running: int) -> int:
        """A small step down, if the whole window allows it and the last step is long enough ago."""
        spare = running - max(self.needed)
        full = len(self.needed) == self.needed.maxlen
        if spare < 1 or not full or now - self.last_down < DOWN_EVERY_SECONDS:
            return running
        self.last_down = now
        return running - min(spare, max(1, int(running * DOWN_SHARE)))

    def _within(self, replicas: int) -> int:
        return max(self.config["min_replicas"], min(replicas, self.config["max_replicas"]))


_current: Autoscaler | None = None


def start(config: dict[str, Any]) -> None:
    """Begin anew with this configuration."""
    global _current
    _current = Autoscaler(config)


def decide(telemetry: dict[str, Any]) -> int:
    """The number of replicas wanted now. `telemetry` is the row of the step that has just ended."""
    if _current is None:
        raise RuntimeError("call start(config) first")
    return _current.decide(telemetry)
