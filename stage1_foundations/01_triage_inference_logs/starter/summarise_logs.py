"""A beginning for the reader. Nothing here is part of the contract: keep it, change it, or throw it away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

MAX_LINE_BYTES = 1024 * 1024


class BadLine(ValueError):
    """A line that the contract does not allow us to count."""


class Damaged(Exception):
    """A file that does not end as a gzip file ends."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the report needs of one line. `latency_ms` is in milliseconds; `at` knows its offset."""

    model: str
    endpoint: str
    request_id: str
    at: datetime
    is_error: bool
    latency_ms: float


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of one file, without their newlines, one at a time. Raises Damaged after the last readable line.

    Begin with the simplest loop that works on a good file. Then ask: what does it do with a file that ends too
    early? With a line that does not end?
    """
    raise NotImplementedError


def parse(line: bytes) -> Request:
    """One request from one line. Raises BadLine for whatever the contract calls bad."""
    raise NotImplementedError


def nearest_rank(ordered: list[float], percent: int) -> float:
    """The percentile of values that are sorted already. The contract defines it."""
    raise NotImplementedError
