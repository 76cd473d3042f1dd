"""Reads a day of telemetry and says what went wrong, if anything did.

The order of questions is the order of a good on-call engineer: did we change something (deploy)? is somebody else slow
(store)? did our caches go cold? or is it just many more customers?
"""

from __future__ import annotations

from typing import Any

import pandas as pd

SMOOTH = 3  # minutes
USUAL = 60  # minutes that say what is usual
LEAST = 3  # bad minutes in a row


def diagnose(telemetry: pd.DataFrame) -> dict[str, Any]:
    """The cause and the first bad minute of the day's incident; both None on a healthy day.

    Args:
        telemetry: the columns of `World.telemetry`, one row per minute. Measured columns may be NaN.
    """
    frame = telemetry.reset_index(drop=True)
    hits = _smooth(frame["cache_hit_ratio"])
    cold = _first(hits < 0.85)
    if cold is not None:
        return _answer(frame, _why_the_cache_misses(frame, cold), cold)
    failing = _first(_smooth(frame["errors"] / frame["requests"].clip(lower=1)) > 0.008)
    slow = _first(_smooth(frame["p95_ms"]) > 45)
    bad = min((moment for moment in (failing, slow) if moment is not None), default=None)
    if bad is None:
        return {"cause": None, "minute": None}
    if frame["model_version"].iloc[: bad + LEAST].nunique() > 1:
        changed = int((frame["model_version"] != frame["model_version"].iloc[0]).idxmax())
        if abs(changed - bad) <= 10:
            return _answer(frame, "bad_deploy", changed)
    return _answer(frame, "traffic_spike", bad)


def _why_the_cache_misses(frame: pd.DataFrame, moment: int) -> str:
    """A cache that lost its memory misses nearly everything, then learns. A slow store lets some entries expire, and
    that stays."""
    begin = frame["cache_hit_ratio"].iloc[moment : moment + 15].median()
    return "cold_cache" if begin < 0.58 else "slow_dependency"


def _smooth(values: pd.Series) -> pd.Series:
    return values.astype(float).rolling(SMOOTH, center=True, min_periods=1).median()


def _first(bad: pd.Series) -> int | None:
    """The first of `LEAST` bad minutes in a row."""
    runs = bad.astype(int).rolling(LEAST).sum() == LEAST
    return int(runs.idxmax()) - LEAST + 1 if runs.any() else None


def _answer(frame: pd.DataFrame, cause: str, moment: int) -> dict[str, Any]:
    return {"cause": cause, "minute": frame["minute"].iloc[moment].to_pydatetime()}
