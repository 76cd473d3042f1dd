"""Every time that crosses a border becomes a UTC time with microseconds."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

UTC_MICROSECONDS = "datetime64[us, UTC]"  # DuckDB cannot cast Parquet's nanoseconds with a zone


def utc(times: pd.Series) -> pd.Series:
    """Times with any zone, or without one, which means UTC. Also text and Python's own datetimes."""
    return pd.to_datetime(times, utc=True, format="ISO8601").astype(UTC_MICROSECONDS)


def utc_instant(time: datetime) -> pd.Timestamp:
    moment = pd.Timestamp(time)
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")


def microseconds(time: datetime) -> int:
    """Since 1970 in UTC: whole numbers, so that an age is exact at its limit."""
    return (utc_instant(time) - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)
