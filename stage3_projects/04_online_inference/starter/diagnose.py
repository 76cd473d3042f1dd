"""Reads a day of telemetry and says what went wrong, if anything did."""

from __future__ import annotations

from typing import Any

import pandas as pd


def diagnose(telemetry: pd.DataFrame) -> dict[str, Any]:
    """{"cause": …, "minute": …}. One row per minute; see the contract for columns and causes."""
    raise NotImplementedError("not started")
