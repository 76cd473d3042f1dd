"""The feature store of the `fraud` model. The README's Contract says what each function must do.

Nothing is started yet: every function raises NotImplementedError. `python practice.py` plays a night to them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import pandas as pd


@cache
def store():
    """Feast's FeatureStore for this folder, opened once per process.

    This much is given, so that you have seen a configuration in code once. It is the one that a tutorial would show:
    Feast's defaults, on SQLite. Not all of its defaults are good enough here.
    """
    from feast import FeatureStore, RepoConfig
    from feast.repo_config import RegistryConfig

    os.makedirs("data", exist_ok=True)
    config = RepoConfig(
        project="nukkad",
        provider="local",
        registry=RegistryConfig(path=os.path.abspath("data/registry.db")),
        online_store={"type": "sqlite", "path": os.path.abspath("data/online.db")},
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


def apply() -> None:
    """Register version 1: the entity, both views, the on-demand feature, the service `fraud_v1`."""
    raise NotImplementedError("apply")


def ingest(view: str, rows: pd.DataFrame) -> None:
    """Add rows of an upstream to the offline history."""
    raise NotImplementedError("ingest")


def push(rows: pd.DataFrame) -> None:
    """Rows of `payer_stream`: online at once, and into the history."""
    raise NotImplementedError("push")


def materialize(end: datetime) -> None:
    """Bring online what counts at `end`."""
    raise NotImplementedError("materialize")


def training_set(entities: pd.DataFrame, service: str = "fraud_v1") -> pd.DataFrame:
    """Every row of `entities`, with the features as they were known at its time."""
    raise NotImplementedError("training_set")


def online(
    payer_ids: Sequence[int], amounts_paise: Sequence[int], now: datetime, service: str = "fraud_v1"
) -> pd.DataFrame:
    """The features of each payer at `now`, with a status and an age for each view."""
    raise NotImplementedError("online")


def freshness(now: datetime) -> dict[str, dict[str, Any]]:
    """How old the values are that are online at `now`."""
    raise NotImplementedError("freshness")


def rollout(end: datetime) -> None:
    """Bring version 2 out, beside version 1."""
    raise NotImplementedError("rollout")


def rollback() -> None:
    """Take version 2 back."""
    raise NotImplementedError("rollback")
