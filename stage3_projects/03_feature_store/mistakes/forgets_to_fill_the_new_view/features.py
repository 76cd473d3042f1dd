"""The feature store of the `fraud` model: one definition of each feature, for training and for serving.

A row counts at a time T if it had happened (`event_timestamp`) and was known (`created_timestamp`) by T. Of these the
latest event counts, and of equal events the one that was created last. Everything below follows this rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from feast import FeatureView
from feast.errors import FeatureServiceNotFoundException

import history
import online_store
from definitions import NIGHTLY, STREAM, UPSTREAMS, V1, V2, VERSIONS, Version, payer, payer_stream
from online_store import store
from times import microseconds, utc, utc_instant


def apply() -> None:
    """Register version 1. Running it again changes nothing."""
    for view in UPSTREAMS:
        history.create(view)
    store().refresh_registry()  # Feast writes back what it remembers, and another process may know more
    store().apply([payer, *V1.tables.values(), V1.on_demand, V1.feature_service()])


def ingest(view: str, rows: pd.DataFrame) -> None:
    """Add rows of an upstream to the offline history. Nothing goes online."""
    if view not in UPSTREAMS:
        raise KeyError(f"no view {view!r}: there are {', '.join(UPSTREAMS)}")
    history.append(view, rows)


def push(rows: pd.DataFrame) -> None:
    """Rows of the stream: online at once, and into the history."""
    ingest(STREAM.name, rows)
    online_store.write(payer_stream, history.latest(history.shaped(STREAM.name, rows)))


def materialize(end: datetime) -> None:
    """Bring every view online as it was at `end`, late rows included. Never replaces a newer row."""
    for view in UPSTREAMS:
        rows = history.as_of(view, utc_instant(end))
        for table in _registered(view):
            online_store.write(table, rows)


def training_set(entities: pd.DataFrame, service: str = V1.service) -> pd.DataFrame:
    """Every row of `entities`, in its order, with the features of `service` as they were known at its time."""
    version = _version(service)
    asked = entities[["payer_id", "amount_paise"]].assign(
        event_timestamp=utc(entities["event_timestamp"]), row=np.arange(len(entities))
    )
    job = store().get_historical_features(
        asked, version.refs(), full_feature_names=True, filter_by_created_timestamp=True
    )
    found = job.to_df().sort_values("row").reset_index(drop=True)
    served = {view: ~_is_true(found[f"{table.name}__is_deleted"]) for view, table in version.tables.items()}
    return entities.reset_index(drop=True).assign(**_features(version, found, served))


def online(
    payer_ids: Sequence[int], amounts_paise: Sequence[int], now: datetime, service: str = V1.service
) -> pd.DataFrame:
    """The features of each payer at `now`, with a status and an age for each view. Null unless the status is `ok`."""
    version = _version(service)
    found = online_store.read(version, list(payer_ids), list(amounts_paise))
    answer = pd.DataFrame({"payer_id": list(payer_ids)})
    ages = {view: _ages(version, view, found, now) for view in version.tables}
    statuses = {view: _statuses(version, view, found, ages[view]) for view in version.tables}
    served = {view: statuses[view] == "ok" for view in version.tables}
    answer = answer.assign(**_features(version, found, served))
    for view in version.tables:
        answer[f"{view}_status"] = statuses[view]
        answer[f"{view}_age_seconds"] = ages[view]
    return answer


def freshness(now: datetime) -> dict[str, dict[str, Any]]:
    """How old the values that are online are at `now`, for each view; by the time of the event, never of the write."""
    payers = sorted({int(one) for view in UPSTREAMS for one in history.read(view)["payer_id"]})
    report = {}
    answer = online(payers, [1] * len(payers), now) if payers else None
    for view, upstream in UPSTREAMS.items():
        ages = np.array([])
        if answer is not None:
            alive = answer[f"{view}_status"].isin(["ok", "stale"])
            ages = np.sort(answer.loc[alive, f"{view}_age_seconds"].to_numpy())
        # nearest rank: the smallest age that at least 95 % of the payers do not exceed
        p95 = float(ages[-(-95 * len(ages) // 100) - 1]) if len(ages) else None
        report[view] = {
            "payers": len(ages),
            "p95_age_seconds": p95,
            "stale_share": float(np.mean(ages > upstream.max_age.total_seconds())) if len(ages) else None,
            "met": p95 is not None and p95 <= upstream.objective.total_seconds(),
        }
    return report


def rollout(end: datetime) -> None:
    """Release version 2 beside version 1: the view first, and the service last."""
    store().refresh_registry()
    store().apply([V2.tables[NIGHTLY.name], V2.on_demand])
    store().apply(V2.feature_service())


def rollback() -> None:
    """Take version 2 away again: the service first, so that nobody begins to use what is about to go."""
    store().refresh_registry()
    for going in ([V2.feature_service()], [V2.on_demand, V2.tables[NIGHTLY.name]]):
        store().apply([], objects_to_delete=going, partial=False)


def _version(service: str) -> Version:
    try:
        store().get_feature_service(service, allow_cache=True)
    except FeatureServiceNotFoundException:
        raise KeyError(f"no feature service {service!r} is registered") from None
    return VERSIONS[service]


def _registered(upstream: str) -> list[FeatureView]:
    """The tables that hold the rows of an upstream: more than one while two versions live."""
    names = {one.name for one in store().list_feature_views()}
    tables = {version.tables[upstream].name: version.tables[upstream] for version in VERSIONS.values()}
    return [table for name, table in tables.items() if name in names]


def _features(version: Version, found: pd.DataFrame, served: dict[str, pd.Series]) -> dict[str, pd.Series]:
    """The model's columns; null wherever the row on which a feature rests may not be served."""
    columns = {}
    for feature in version.features:
        upstream = version.upstream_of(feature)
        stored = feature in {field.name for field in version.tables[upstream].features}
        table = version.tables[upstream].name if stored else version.on_demand.name
        values = pd.to_numeric(found[f"{table}__{feature}"], errors="coerce").astype("float64")
        columns[feature] = values.where(served[upstream])
    return columns


def _ages(version: Version, view: str, found: pd.DataFrame, now: datetime) -> pd.Series:
    """Seconds from the event to `now`, to the microsecond; null where nothing is stored."""
    ref = f"{version.tables[view].name}__is_deleted"
    return ((microseconds(now) - found[f"{ref}__ts"] * 1_000_000) / 1_000_000).where(found[ref].notna())


def _statuses(version: Version, view: str, found: pd.DataFrame, ages: pd.Series) -> pd.Series:
    deleted = _is_true(found[f"{version.tables[view].name}__is_deleted"])
    stale = ages > UPSTREAMS[view].max_age.total_seconds()
    return pd.Series(
        np.select([ages.isna(), deleted, stale], ["missing", "deleted", "stale"], default="ok"),
        index=ages.index,
    )


def _is_true(flags: pd.Series) -> pd.Series:
    return flags.astype("boolean").fillna(False).astype(bool)
