"""What a request and a reply look like. Field names and units are those of the world (docs/world.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FeatureView = Literal["payer_activity", "payer_profile"]
Identifier = Annotated[int, Field(ge=0, le=2**53 - 1)]
# The gateway may send a name that the model does not know: it is scored as unknown, and counted.
Name = Annotated[str, Field(min_length=1, max_length=32)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Transaction(_Strict):
    transaction_id: Identifier
    amount_paise: int = Field(ge=1, le=10_000_000)
    channel: Name
    merchant_category: Name
    hour_ist: int = Field(ge=0, le=23)
    payer_account_age_days: float = Field(ge=0)
    payer_txn_count_24h: int = Field(ge=0)
    payer_mean_amount_30d_paise: float | None = Field(ge=0)
    payer_merchant_is_new: bool
    device_age_days: float | None = Field(ge=0)
    distance_km: float | None = Field(ge=0)
    feature_times: dict[FeatureView, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="Unix seconds at which the features of each view were true."
    )


class Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    transaction_id: int
    fraud_probability: float
    decision: Literal["allow", "block"]
    model_version: str


class Label(_Strict):
    transaction_id: Identifier
    is_fraud: bool


class Labels(_Strict):
    labels: list[Label] = Field(min_length=1, max_length=1000)


class LabelsTaken(BaseModel):
    matched: int
    unmatched: int
