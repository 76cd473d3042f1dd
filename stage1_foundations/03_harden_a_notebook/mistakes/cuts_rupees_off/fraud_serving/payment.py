"""One raw row, as the apps send it → one payment in one unit and one form; or the reason why it is refused."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

IST = timezone(timedelta(hours=5, minutes=30), "IST")  # no daylight saving time, and no tzdata needed
PAISE_PER_RUPEE = 100

# `fromisoformat` alone reads more than that: a space for the T, "+0530", week dates, no seconds, seven digits.
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)


class RefusedRow(ValueError):
    """The row breaks the contract. The message names fields, never values: a row is about a person."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What the model may know of a payment. None: not known. `at` is in Indian time; `distance_km` is in km."""

    transaction_id: int
    at: datetime
    amount_paise: int
    channel: str | None
    merchant_category: str | None
    payer_account_age_days: float | None
    payer_txn_count_24h: float | None
    payer_mean_amount_30d_paise: float | None
    payer_merchant_is_new: bool | None
    device_age_days: float | None
    distance_km: float | None


def record_of(line: str | bytes) -> dict[str, Any]:
    """The JSON object in one line.

    Raises:
        RefusedRow: it is none.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # without `from`: the decoder's message may repeat the line
        raise RefusedRow("the line is not JSON") from None
    if not isinstance(record, dict):
        raise RefusedRow("the line is no JSON object")
    return record


def payment_of(record: dict[str, Any]) -> Payment:
    """The payment that a raw row describes.

    Raises:
        RefusedRow: the row breaks the contract.
    """
    transaction_id = record.get("transaction_id")
    if type(transaction_id) is not int:
        raise RefusedRow("transaction_id is no integer")
    return Payment(
        transaction_id=transaction_id,
        at=_moment(record),
        amount_paise=_amount_paise(record),
        channel=_text(record, "channel"),
        merchant_category=_text(record, "merchant_category"),
        payer_account_age_days=_number(record, "payer_account_age_days"),
        payer_txn_count_24h=_number(record, "payer_txn_count_24h"),
        payer_mean_amount_30d_paise=_number(record, "payer_mean_amount_30d_paise"),
        payer_merchant_is_new=_flag(record, "payer_merchant_is_new"),
        device_age_days=_number(record, "device_age_days"),
        distance_km=_number(record, "distance_km"),
    )


def _moment(record: dict[str, Any]) -> datetime:
    text = record.get("event_time")
    if not isinstance(text, str) or not RFC_3339.fullmatch(text):
        raise RefusedRow("event_time is no RFC 3339 time with an offset")
    try:
        return datetime.fromisoformat(text).astimezone(IST)
    except (ValueError, OverflowError):  # 30 February; or the last hours of the year 9999
        raise RefusedRow("event_time is no moment") from None


def _amount_paise(record: dict[str, Any]) -> int:
    paise, rupees = record.get("amount_paise"), record.get("amount_rupees")
    if (paise is None) == (rupees is None):
        raise RefusedRow("give exactly one of amount_paise and amount_rupees")
    amount = paise if rupees is None else rupees
    if not _is_number(amount) or not 0 < amount < math.inf:
        raise RefusedRow("the amount is no number above 0")
    return max(1, int(amount if rupees is None else amount * PAISE_PER_RUPEE))


def _number(record: dict[str, Any], name: str) -> float | None:
    value = record.get(name)
    if value is not None and not (_is_number(value) and 0 <= value < math.inf):
        raise RefusedRow(f"{name} is no number from 0")
    return value


def _text(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedRow(f"{name} is no text")
    return value


def _flag(record: dict[str, Any], name: str) -> bool | None:
    value = record.get(name)
    if value is not None and not isinstance(value, bool):
        raise RefusedRow(f"{name} is neither true nor false")
    return value


def _is_number(value: object) -> bool:
    return type(value) in (int, float)  # isinstance would take True for a number
