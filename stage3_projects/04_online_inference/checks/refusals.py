"""Payments at the edges of the contract's table of fields: just inside, and just outside of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

MOST_ID = 2**53 - 1
WHOLE = {
    "transaction_id": (0, MOST_ID),
    "payer_id": (0, MOST_ID),
    "amount_paise": (1, 10_000_000),
    "hour_ist": (0, 23),
}
NUMBERS = {"device_age_days": 36_500, "distance_km": 25_000}
NOT_CHOSEN = "Callers must not choose what the model believes about their payer."
THE_TABLE = "The table of fields in the brief gives each one's type and range; types are exact."


def right(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Bodies that must be scored."""
    for name, ends in WHOLE.items():
        for value in ends:
            yield {**good, name: value}
    for name, most in NUMBERS.items():
        for value in (0, most, 0.5, None):
            yield {**good, name: value}
    for channel in ("qr", "intent", "collect", "autopay"):
        yield {**good, "channel": channel}
    for value in (True, False):
        yield {**good, "payer_merchant_is_new": value}


def wrong(good: dict[str, Any], stored: dict[str, float]) -> Iterator[tuple[dict[str, Any], str]]:
    """(body that must be refused, hint)."""
    for name, value in stored.items():
        yield {**good, name: value}, NOT_CHOSEN
    for gone in good:
        yield {name: value for name, value in good.items() if name != gone}, THE_TABLE
    for name, (least, most) in WHOLE.items():
        for value in (least - 1, most + 1, str(most), True, 1.5, None):
            yield {**good, name: value}, THE_TABLE
    for name, above in NUMBERS.items():
        for value in (-0.5, math.nextafter(above, math.inf), "1", True, [1]):
            yield {**good, name: value}, THE_TABLE
    for value in ("cash", "QR", "", 0, None):
        yield {**good, "channel": value}, THE_TABLE
    for value in (0, 1, "true", None):
        yield {**good, "payer_merchant_is_new": value}, THE_TABLE
