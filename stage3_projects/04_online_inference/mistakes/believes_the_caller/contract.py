"""What callers may send and what they get back. Amounts are in paise, times in IST, ages in days."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Channel = Literal["qr", "intent", "collect", "autopay"]
Decision = Literal["allow", "block"]
Origin = Literal["fresh", "cached", "stale", "fallback"]


class Payment(BaseModel):
    """One UPI payment, as the phone and the gateway know it. `null` means: not known."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    transaction_id: int = Field(ge=0, le=2**53 - 1)
    payer_id: int = Field(ge=0, le=2**53 - 1)
    amount_paise: int = Field(ge=1, le=10_000_000)  # up to the UPI limit of one lakh rupees
    channel: Channel
    hour_ist: int = Field(ge=0, le=23)
    payer_merchant_is_new: bool
    device_age_days: float | None = Field(ge=0, le=36_500)
    distance_km: float | None = Field(ge=0, le=25_000)
