"""Bodies that a payment gateway never means to send, and one day does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

MAX_BATCH = 500
TEN_MEGABYTES = 10_000_000
CHUNK = 65_536


def wrong_fields(rng: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """(field, value): each makes a good transaction a bad one, by itself."""
    low, high = int(rng.integers(2, 1000)), int(rng.integers(2, 1000))
    yield "amount_paise", 0
    yield "amount_paise", 10_000_000 + high
    yield "amount_paise", low + 0.5
    yield "amount_paise", str(low)
    yield "amount_paise", True
    yield "amount_paise", None
    yield "amount_paise", [low]
    yield "transaction_id", 2**53
    yield "transaction_id", -low
    yield "transaction_id", str(low)
    yield "channel", "cash"
    yield "channel", 1
    yield "channel", None
    yield "hour_ist", 24
    yield "hour_ist", -1
    yield "payer_account_age_days", -0.5
    yield "payer_account_age_days", None
    yield "payer_txn_count_24h", 100_000 + high
    yield "payer_mean_amount_30d_paise", -1.0 * low
    yield "payer_mean_amount_30d_paise", str(low)
    yield "payer_merchant_is_new", 1
    yield "payer_merchant_is_new", "true"
    yield "device_age_days", 36_500.0 + high
    yield "distance_km", {"km": low}
    yield "distance_km", 25_000.0 + high


def not_json(good: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(what it is, body): none of them is JSON (RFC 8259), or none that a parser must accept."""
    text = json.dumps(good)
    amount = f'"amount_paise": {good["amount_paise"]}'
    channel = f'"channel": "{good["channel"]}"'
    age = f'"payer_account_age_days": {good["payer_account_age_days"]}'
    assert all(part in text for part in (amount, channel, age))
    yield "nothing", b""
    yield "half of an object", text[: len(text) // 2].encode()
    yield "an object with a comma too many", f"{text[:-1]},}}".encode()
    yield "NaN as a number", text.replace(age, '"payer_account_age_days": NaN').encode()
    yield "-Infinity as a number", text.replace(age, '"payer_account_age_days": -Infinity').encode()
    yield "1e999 as a number", text.replace(age, '"payer_account_age_days": 1e999').encode()
    yield "NaN as a whole number", text.replace(amount, '"amount_paise": NaN').encode()
    yield "a whole number of 5,000 digits", text.replace(amount, f'"amount_paise": {"9" * 5000}').encode()
    yield "lists, 100,000 deep", b"[" * 100_000 + b"]" * 100_000
    nested = "[" * 20_000 + "]" * 20_000
    yield "a field of lists, 20,000 deep", text.replace(amount, f'"amount_paise": {nested}').encode()
    yield "half a surrogate pair", text.replace(channel, '"channel": "\\ud800"').encode()
    yield "bytes that are not UTF-8", text.encode().replace(channel.encode(), b'"channel": "\xff\xfe"')
    yield "a list of a transaction", f"[{text}]".encode()
    yield "null", b"null"
    yield "text in quotes", json.dumps(text).encode()


def chunked(body: bytes) -> bytes:
    """`body` framed for `Transfer-Encoding: chunked`: the server cannot know its size beforehand."""
    pieces = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def padded(good: dict[str, Any], size: int) -> bytes:
    """A good transaction behind so many blanks that it takes `size` bytes. It is still JSON."""
    text = json.dumps(good).encode()
    return b" " * (size - len(text)) + text
