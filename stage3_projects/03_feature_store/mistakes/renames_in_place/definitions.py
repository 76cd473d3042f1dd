"""What Feast's registry holds: the entity, the views, the on-demand feature and one feature service per model version.

Other teams read this catalogue. Everything else in this repository follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, RequestSource, ValueType
from feast.on_demand_feature_view import OnDemandFeatureView, on_demand_feature_view
from feast.types import Bool, Float64, Int64


@dataclass(frozen=True)
class Upstream:
    """What a job or a stream promises. `max_age` is also the view's `ttl`; `objective` is for the 95th percentile."""

    name: str
    max_age: timedelta
    objective: timedelta


NIGHTLY = Upstream("payer_nightly", max_age=timedelta(days=2), objective=timedelta(hours=26))
STREAM = Upstream("payer_stream", max_age=timedelta(minutes=60), objective=timedelta(minutes=15))
UPSTREAMS = {one.name: one for one in (NIGHTLY, STREAM)}

payer = Entity(name="payer", join_keys=["payer_id"], value_type=ValueType.INT64)
request = RequestSource(name="payment", schema=[Field(name="amount_paise", dtype=Int64)])


def history_file(upstream: str) -> Path:
    return Path(f"data/history/{upstream}.parquet").resolve()


def _source(upstream: Upstream) -> FileSource:
    return FileSource(
        name=f"{upstream.name}_history",
        path=str(history_file(upstream.name)),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )


nightly_history = _source(NIGHTLY)
stream_source = PushSource(name=f"{STREAM.name}_push", batch_source=_source(STREAM))


def _view(
    name: str, upstream: Upstream, source: FileSource | PushSource, features: list[Field]
) -> FeatureView:
    # Stored beside the features of every view. Models never see them.
    bookkeeping = [Field(name="is_deleted", dtype=Bool), Field(name="created_us", dtype=Int64)]
    return FeatureView(
        name=name,
        entities=[payer],
        ttl=upstream.max_age,
        schema=[*features, *bookkeeping],
        source=source,
        online=True,
    )


ACCOUNT_AGE = Field(name="payer_account_age_days", dtype=Float64)

payer_nightly = _view(
    "payer_nightly",
    NIGHTLY,
    nightly_history,
    [ACCOUNT_AGE, Field(name="payer_mean_amount_30d_paise", dtype=Float64)],
)
payer_stream = _view("payer_stream", STREAM, stream_source, [Field(name="payer_txn_count_24h", dtype=Int64)])
# Version 2 gives the view its new columns.
payer_nightly_v2 = _view(
    "payer_nightly",
    NIGHTLY,
    nightly_history,
    [
        ACCOUNT_AGE,
        Field(name="payer_mean_amount_30d_rupees", dtype=Float64),
        Field(name="payer_merchants_30d", dtype=Float64),
    ],
)


@on_demand_feature_view(
    name="payment_v1",
    sources=[request, payer_nightly],
    schema=[Field(name="amount_to_mean_30d", dtype=Float64)],
)
def payment_v1(inputs: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd  # Feast keeps this function's own source in the registry, without the module around it

    from ratio import amount_to_mean

    ratio = amount_to_mean(inputs["amount_paise"], inputs["payer_mean_amount_30d_paise"])
    return pd.DataFrame({"amount_to_mean_30d": ratio})


@on_demand_feature_view(
    name="payment_v2",
    sources=[request, payer_nightly_v2],
    schema=[Field(name="amount_to_mean_30d", dtype=Float64)],
)
def payment_v2(inputs: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    from ratio import PAISE_PER_RUPEE, amount_to_mean

    mean = pd.to_numeric(inputs["payer_mean_amount_30d_rupees"], errors="coerce") * PAISE_PER_RUPEE
    return pd.DataFrame({"amount_to_mean_30d": amount_to_mean(inputs["amount_paise"], mean)})


@dataclass(frozen=True)
class Version:
    """One model version: its feature service, and which stored table stands for which upstream."""

    service: str
    tables: dict[str, FeatureView]
    on_demand: OnDemandFeatureView
    features: tuple[str, ...]  # the columns that the model gets, in its order

    def refs(self) -> list[str]:
        """Feast's names of everything to fetch, the bookkeeping included."""
        stored = [f"{view.name}:{field.name}" for view in self.tables.values() for field in view.schema]
        joined = [ref for ref in stored if not ref.endswith(":payer_id")]
        return [*joined, f"{self.on_demand.name}:amount_to_mean_30d"]

    def feature_service(self) -> FeatureService:
        picked = [
            view[[name for name in self.features if name in {field.name for field in view.schema}]]
            for view in self.tables.values()
        ]
        return FeatureService(name=self.service, features=[*picked, self.on_demand])

    def upstream_of(self, feature: str) -> str:
        """The upstream on whose row a feature rests. The on-demand feature rests on the nightly mean."""
        for upstream, view in self.tables.items():
            if feature in {field.name for field in view.schema}:
                return upstream
        return NIGHTLY.name


V1 = Version(
    "fraud_v1",
    {NIGHTLY.name: payer_nightly, STREAM.name: payer_stream},
    payment_v1,
    ("payer_account_age_days", "payer_mean_amount_30d_paise", "payer_txn_count_24h", "amount_to_mean_30d"),
)
V2 = Version(
    "fraud_v2",
    {NIGHTLY.name: payer_nightly_v2, STREAM.name: payer_stream},
    payment_v2,
    (
        "payer_account_age_days",
        "payer_mean_amount_30d_rupees",
        "payer_merchants_30d",
        "payer_txn_count_24h",
        "amount_to_mean_30d",
    ),
)
VERSIONS = {one.service: one for one in (V1, V2)}
