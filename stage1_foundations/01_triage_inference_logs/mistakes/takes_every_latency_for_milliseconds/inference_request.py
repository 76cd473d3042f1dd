"""One line of an inference log → one request, or the reason why it does not count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gzip_lines import MAX_LINE_BYTES

MAX_LATENCY_MS = 3_600_000.0
MS_PER_UNIT = {"latency_us": 0.001, "latency_ms": 1.0, "latency_s": 1000.0}


class BadLine(ValueError):
    """A line that the contract does not allow us to count."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the report needs of one line. `latency_ms` is in milliseconds; `at` knows its offset."""

    model: str
    endpoint: str
    request_id: str
    at: datetime
    is_error: bool
    latency_ms: float


def parse(line: bytes) -> Request:
    """One request from one line.

    Raises:
        BadLine: the contract does not allow the line.
    """
    if len(line) > MAX_LINE_BYTES:
        raise BadLine("longer than 1 MiB")
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError) as error:  # no UTF-8 and no JSON are both ValueErrors
        raise BadLine(str(error)) from error
    if not isinstance(record, dict):
        raise BadLine("no JSON object")
    return Request(
        model=_text(record, "model"),
        endpoint=_text(record, "endpoint"),
        request_id=_text(record, "request_id"),
        at=_instant(record),
        is_error=record.get("timeout") is True or _status(record) >= 500,
        latency_ms=_latency_ms(record),
    )


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise BadLine(f"{key} is {value!r}")
    return value


def _instant(record: dict[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(_text(record, "ts"))
    except ValueError as error:
        raise BadLine(str(error)) from error
    if at.tzinfo is None:
        raise BadLine(f"{at} has no offset: it could be UTC or IST")
    return at


def _status(record: dict[str, Any]) -> int:
    status = record.get("status")
    if type(status) is not int or not 100 <= status <= 599:
        raise BadLine(f"status is {status!r}")
    return status


def _latency_ms(record: dict[str, Any]) -> float:
    given = [key for key in MS_PER_UNIT if key in record]
    if len(given) != 1:
        raise BadLine(f"{len(given)} latencies")
    value = record[given[0]]
    if type(value) not in (int, float):  # isinstance would take True for a number
        raise BadLine(f"{given[0]} is {value!r}")
    if not 0 <= value <= MAX_LATENCY_MS:
        raise BadLine(f"{given[0]} is {value!r}")
    return float(value)
