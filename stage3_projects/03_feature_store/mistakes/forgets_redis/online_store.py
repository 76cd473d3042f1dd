"""The online store, read and written through Feast: Redis where REDIS_URL is set, otherwise a SQLite file."""

from __future__ import annotations

import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from feast import FeatureStore, FeatureView, RepoConfig
from feast.repo_config import RegistryConfig

from definitions import Version

PROJECT = "nukkad"
BATCH = 1000  # payers for one read: enough to spread Feast's cost per call, few enough for one SQL statement


@cache
def store() -> FeatureStore:
    os.makedirs("data", exist_ok=True)
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry=RegistryConfig(
            path=os.path.abspath("data/registry.db"),
            registry_store_type="registry_file.WholeFileRegistryStore",
        ),
        online_store=_online_config(""),
        offline_store={"type": "duckdb"},  # Feast's default file store drops rows that find no value
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


def _online_config(redis_url: str) -> dict[str, Any]:
    if not redis_url:
        return {"type": "sqlite", "path": os.path.abspath("data/online.db")}
    url = urlsplit(redis_url)
    words = [f"{url.hostname}:{url.port or 6379}", f"db={url.path.strip('/') or 0}"]
    if url.password:
        words.append(f"password={url.password}")
    # Feast's own check of times would also refuse a correction that has the same event time. `write` has a better one.
    return {"type": "redis", "connection_string": ",".join(words), "skip_dedup": True}


def write(view: FeatureView, rows: pd.DataFrame) -> None:
    """Put at most one row per payer online, and only where it is newer than what is there.

    Newer means a later event, or the same event and created later. Feast alone would let the last writer win.
    """
    if rows.empty:
        return
    there = _stored_times(view, rows["payer_id"].tolist())
    event = rows["event_timestamp"].astype("int64").to_numpy() // 1_000_000  # Feast keeps whole seconds
    created = rows["created_us"].to_numpy()
    newer = (event > there["event"]) | ((event == there["event"]) & (created > there["created"]))
    columns = ["payer_id", "event_timestamp", "created_timestamp", *(field.name for field in view.features)]
    if newer.any():
        store().write_to_online_store(view.name, rows.loc[newer.to_numpy(), columns].reset_index(drop=True))


def read(version: Version, payer_ids: list[int], amounts_paise: list[int]) -> pd.DataFrame:
    """What is stored for each payer, however old, with Feast's full names and `<ref>__ts` (whole seconds, UTC)."""
    parts = []
    for start in range(0, len(payer_ids), BATCH):
        pairs = zip(payer_ids[start : start + BATCH], amounts_paise[start : start + BATCH], strict=True)
        rows = [{"payer_id": one, "amount_paise": amount} for one, amount in pairs]
        reply = store().get_online_features(version.refs(), rows, full_feature_names=True)
        parts.append(reply.to_dict(include_event_timestamps=True))
    return pd.DataFrame({key: [value for part in parts for value in part[key]] for key in parts[0]})


def _stored_times(view: FeatureView, payer_ids: list[int]) -> pd.DataFrame:
    """Event time (seconds) and creation time (microseconds) of what is online; -1 where there is nothing."""
    event: list[int] = []
    created: list[int] = []
    for start in range(0, len(payer_ids), BATCH):
        rows = [{"payer_id": one} for one in payer_ids[start : start + BATCH]]
        found = store().get_online_features([f"{view.name}:created_us"], rows)
        columns = found.to_dict(include_event_timestamps=True)
        created += [-1 if one is None else one for one in columns["created_us"]]
        event += columns["created_us__ts"]
    known = pd.DataFrame({"event": event, "created": created})
    return known.where(known["created"] >= 0, -1)
