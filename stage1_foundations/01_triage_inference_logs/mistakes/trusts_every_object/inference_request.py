"""One line of an inference log → one request, or the reason why it does not count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from gzip_lines import MAX_LINE_BYTES

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
    try:
        unit = next(key for key in MS_PER_UNIT if key in record)
        return Request(
            model=str(record["model"]),
            endpoint=str(record["endpoint"]),
            request_id=str(record["request_id"]),
            at=datetime.fromisoformat(record["ts"]).astimezone(),
            is_error=bool(record.get("timeout")) or int(record["status"]) >= 500,
            latency_ms=float(record[unit]) * MS_PER_UNIT[unit],
        )
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise BadLine(str(error)) from error
