"""What the feature store knows about a payer, and what we assume when it does not answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# name → (type, largest value). Days, count, paise; none is below 0.
FEATURES = {
    "payer_account_age_days": (float, 36_500.0),
    "payer_txn_count_24h": (int, 100_000),
    "payer_mean_amount_30d_paise": (float, 10_000_000.0),
}
FIELDS = (*FEATURES, "event_time")
DEFAULTS = {
    "payer_account_age_days": 0.0,
    "payer_txn_count_24h": 0,
    "payer_mean_amount_30d_paise": 0.0,
}
HOT_PAYERS_KEY = "fraud:hot_payers"


class Invalid(ValueError):
    """The hash is there, but it is not what the contract says."""


@dataclass(frozen=True, slots=True)
class PayerFeatures:
    """`values` by feature name. `event_time`: seconds since 1970 (UTC) at which they were true."""

    values: dict[str, float]
    event_time: float


FALLBACK = PayerFeatures(dict(DEFAULTS), math.inf)


def payer_key(payer_id: int) -> str:
    return f"fraud:payer:{payer_id}"


def parse(found: Sequence[bytes | None]) -> PayerFeatures | None:
    """The fields of `FIELDS`, in that order, as Redis gave them. None: there is no such payer.

    Raises:
        Invalid: a field is missing, no number, or out of range.
    """
    if all(value is None for value in found):
        return None
    *texts, moment = found
    if moment is None or not moment.isdigit():
        raise Invalid("event_time")
    values = {}
    for (name, (kind, most)), text in zip(FEATURES.items(), texts, strict=True):
        try:
            value = kind(text)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise Invalid(name) from None
        if not 0 <= value <= most:  # also false for NaN
            raise Invalid(name)
        values[name] = value
    return PayerFeatures(values, int(moment) / 1000)
