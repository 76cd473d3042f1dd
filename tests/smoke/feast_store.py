"""Feast: a point-in-time join from duckdb, materialisation to SQLite, an online read, a push."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig
from feast.data_source import PushMode
from feast.repo_config import RegistryConfig
from feast.types import Float64
from feast.value_type import ValueType

Path("data").mkdir()
now = datetime.now(UTC).replace(microsecond=0)
ages = [3, 2, 1]
rows = pd.DataFrame(
    {
        "customer_id": [1, 1, 2],
        "spend": [10.0, 20.0, 7.0],
        "event_timestamp": pd.Series([now - timedelta(hours=h) for h in ages]).astype("datetime64[us, UTC]"),
    }
)
rows.to_parquet("data/spend.parquet")
store = FeatureStore(
    config=RepoConfig(
        project="smoke",
        provider="local",
        registry=RegistryConfig(path="data/registry.db"),
        online_store={"type": "sqlite", "path": "data/online.db"},
        offline_store={"type": "duckdb"},
        entity_key_serialization_version=3,
    )
)
customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
source = FileSource(path=str(Path("data/spend.parquet").resolve()), timestamp_field="event_timestamp")
push = PushSource(name="spend_push", batch_source=source)
view = FeatureView(
    name="spending",
    entities=[customer],
    ttl=timedelta(days=2),
    schema=[Field(name="spend", dtype=Float64)],
    source=push,
)
store.apply([customer, source, push, view])

asked = pd.DataFrame(
    {
        "customer_id": [1, 1, 2, 9],
        "event_timestamp": pd.Series(
            [now - timedelta(hours=2.5), now, now - timedelta(hours=1.5), now]
        ).astype("datetime64[us, UTC]"),
    }
)
joined = store.get_historical_features(entity_df=asked, features=["spending:spend"]).to_df()
got = {
    (int(row.customer_id), row.event_timestamp): None if pd.isna(row.spend) else row.spend
    for row in joined.itertuples()
}
wanted = [10.0, 20.0, None, None]  # before the second payment; after it; before any; a customer never seen
for row, value in zip(asked.itertuples(), wanted, strict=True):
    assert got[(int(row.customer_id), row.event_timestamp)] == value, (row, got)

store.materialize_incremental(end_date=now)


def online(customer_id: int) -> float | None:
    reply = store.get_online_features(features=["spending:spend"], entity_rows=[{"customer_id": customer_id}])
    return reply.to_dict()["spend"][0]


assert online(1) == 20.0
assert online(9) is None
pushed = pd.DataFrame({"customer_id": [1], "spend": [99.0], "event_timestamp": [now]})
store.push("spend_push", pushed, to=PushMode.ONLINE)
assert online(1) == 99.0
