"""What callers may send and what they get back. Amounts are in paise, times in IST, ages in days."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic needs this one on Python 3.11

MAX_BATCH = 500  # transactions in one batch
MAX_BODY_BYTES = 1024 * 1024

Channel = Literal["qr", "intent", "collect", "autopay"]
Decision = Literal["allow", "block"]
Reason = Literal["model_loading", "model_missing", "model_invalid"]
Days = Annotated[float, Field(ge=0, le=36_500)]
Paise = Annotated[float, Field(ge=0, le=10_000_000)]
Kilometres = Annotated[float, Field(ge=0, le=25_000)]


class Strict(BaseModel):
    """No `"100"` for 100, no `true` for 1, no NaN or infinity."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Transaction(Strict):
    """One UPI payment to score. `null` means: not known. The model has learned from such rows too."""

    transaction_id: int = Field(ge=0, le=2**53 - 1)
    amount_paise: int = Field(ge=1, le=10_000_000)  # up to the UPI limit of one lakh rupees
    channel: Channel
    hour_ist: int = Field(ge=0, le=23)
    payer_account_age_days: Days
    payer_txn_count_24h: int = Field(ge=0, le=100_000)
    payer_mean_amount_30d_paise: Paise | None
    payer_merchant_is_new: bool
    device_age_days: Days | None
    distance_km: Kilometres | None


class Batch(Strict):
    transactions: list[Transaction] = Field(min_length=1, max_length=MAX_BATCH)


# Replies are our own, so nobody needs to check them once more: plain dicts, with types for readers and for OpenAPI.


class Score(TypedDict):
    transaction_id: int
    fraud_probability: float
    decision: Decision


class Prediction(Score):
    model_version: str


class BatchPrediction(TypedDict):
    model_version: str
    predictions: list[Score]


class Problem(TypedDict):
    """Every refusal that is not about a field."""

    detail: str


class FieldProblem(TypedDict):
    """Where in the body, as a path, and what is wrong there. Never the value: it may be personal data."""

    loc: list[str | int]
    msg: str


class InvalidRequest(TypedDict):
    detail: list[FieldProblem]


class Alive(TypedDict):
    status: Literal["ok"]


class Ready(TypedDict):
    status: Literal["ready"]
    model_version: str


class NotReady(TypedDict):
    status: Literal["not ready"]
    reason: Reason
