"""Payments as the warehouse exports them: a folder with one Parquet file a day."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_payments(folder: Path) -> pd.DataFrame:
    """All payments of the folder, in order of `event_time`.

    Raises:
        ValueError: there are none.
    """
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise ValueError(f"{folder} holds no Parquet files")
    days = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    return days.sort_values("event_time", ignore_index=True)
