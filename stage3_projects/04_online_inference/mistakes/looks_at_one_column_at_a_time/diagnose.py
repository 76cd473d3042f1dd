"""Reads a day of telemetry and says what went wrong, if anything did."""

from __future__ import annotations

from typing import Any

import pandas as pd


def diagnose(telemetry: pd.DataFrame) -> dict[str, Any]:
    """The cause and the minute of the day's incident: where the hour was at its worst."""
    worst = int(telemetry["p99_ms"].rolling(60, min_periods=30).mean().idxmax())
    if telemetry["model_version"].nunique() > 1:
        changed = telemetry["model_version"] != telemetry["model_version"].iloc[0]
        return {"cause": "bad_deploy", "minute": telemetry["minute"][int(changed.idxmax())].to_pydatetime()}
    if telemetry["cache_hit_ratio"].rolling(5, min_periods=1).mean().min() < 0.85:
        return {"cause": "cold_cache", "minute": telemetry["minute"][worst].to_pydatetime()}
    if telemetry["p99_ms"].max() > 60:
        return {"cause": "traffic_spike", "minute": telemetry["minute"][worst].to_pydatetime()}
    return {"cause": None, "minute": None}
