"""How many replicas serve `fraud`: one decision every `seconds_per_step`, from one row of telemetry.

Up at once, down slowly. A replica that starts helps only after `start_seconds`, so we look as far ahead. A replica that
ends takes its cache along, so we end few at a time, and only when the last ten minutes agree.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

TARGET_CPU_PERCENT = 70
WINDOW_SECONDS = 600  # traffic must have been lower for so long before replicas are given back
DOWN_EVERY_SECONDS = 120
DOWN_SHARE = 0.08  # of the fleet at a time


class Autoscaler:
    """Capacity planning on the request rate, with a little foresight and a stabilisation window."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        step = config["seconds_per_step"]
        self.needed: deque[int] = deque(maxlen=WINDOW_SECONDS // step)
        self.last_down = -math.inf

    def decide(self, row: dict[str, Any]) -> int:
        """The number of replicas that should run, from what the last step showed."""
        running = int(row["replicas"]) + int(row["starting"])
        if math.isnan(row["cpu_percent"]):
            return self._within(running)  # blind: not knowing is no reason to change anything
        needed = math.ceil(row["replicas"] * row["cpu_percent"] / TARGET_CPU_PERCENT)
        self.needed.append(needed)
        if needed > running:
            return self._within(needed)
        return self._within(self._fewer(row["seconds"], running))

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
