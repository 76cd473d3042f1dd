"""How many replicas serve `fraud`: one decision for each row of telemetry."""

from __future__ import annotations

from typing import Any


def start(config: dict[str, Any]) -> None:
    """Begin anew. `config` has seconds_per_step, min_replicas, max_replicas, replica_rps, start_seconds,
    warm_seconds and slo_p95_ms. Keep what you need in this module: all calls meet the same one."""
    raise NotImplementedError("not started")


def decide(telemetry: dict[str, Any]) -> int:
    """The number of replicas wanted from now on. Measured values of `telemetry` may be NaN."""
    raise NotImplementedError("not started")
