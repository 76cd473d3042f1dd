"""Payment → what the model sees. The only place that knows it: training and serving both come here."""

from __future__ import annotations

import math

from fraud_serving.payment import Payment

NIGHT_ENDS = 6  # hours 0 to 5 in India
FRESH_DEVICE_DAYS = 6.0
FRESH_ACCOUNT_DAYS = 30.0

CATEGORIES = ("channel", "merchant_category")


def numbers(payment: Payment) -> dict[str, float | None]:
    """The numeric features, always the same names in the same order. None: cannot be known for this payment."""
    usual = payment.payer_mean_amount_30d_paise
    device = payment.device_age_days
    account = payment.payer_account_age_days
    is_new = payment.payer_merchant_is_new
    return {
        "log_amount": math.log(payment.amount_paise),
        "log_times_usual": math.log(payment.amount_paise / usual) if usual else None,
        "fresh_device": None if device is None else math.exp(-device / FRESH_DEVICE_DAYS),
        "fresh_account": None if account is None else math.exp(-account / FRESH_ACCOUNT_DAYS),
        "log_distance": _log1p(payment.distance_km),
        "log_count_24h": _log1p(payment.payer_txn_count_24h),
        "new_merchant": None if is_new is None else float(is_new),
        "night_in_india": float(payment.at.hour < NIGHT_ENDS),
    }


def categories(payment: Payment) -> dict[str, str | None]:
    """The features that are names. A name the model has never met weighs nothing."""
    return {name: getattr(payment, name) for name in CATEGORIES}


def _log1p(value: float | None) -> float | None:
    return None if value is None else math.log1p(value)
