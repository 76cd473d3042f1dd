"""Builds inference logs as the services of Nukkad Pay write them: whole, torn, doubled, endless.

Run it to get logs to play with, or one log of 2 GB:

    python log_maker.py FOLDER [--seed 7] [--gigabytes 2]
"""

from __future__ import annotations

import argparse
import gzip
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

IST = timezone(timedelta(hours=5, minutes=30))
NIGHT = datetime(2026, 1, 6, 21, 0, tzinfo=UTC)  # half past two on 7 January in India
HOURS = 3
FEATURES = "A" * 40_000  # the feature vector that `fraud` writes into every line, in base64: 40 kB of zeros
FIELD = {"ms": ("latency_ms", 1e3), "s": ("latency_s", 1e6), "us": ("latency_us", 1)}

# model: (median latency in µs, share of server errors, endpoints)
SERVICES = {
    "assist": (900_000, 0.02, ("/chat", "/chat/stream", "/summarise", "/translate")),
    "fraud": (18_000, 0.01, ("/predict", "/predict/batch", "/predict/upi-lite", "/explain")),
    "offers": (240_000, 0.03, ("/rank", "/rank/festival", "/rank/merchant", "/preview")),
}


@dataclass(frozen=True)
class Request:
    """One request that a model answered or failed to answer. `latency_us` is in microseconds."""

    model: str
    endpoint: str
    request_id: str
    at: datetime
    latency_us: int
    status: int | None = 200
    timeout: bool = False

    @property
    def is_error(self) -> bool:
        return self.timeout or (self.status is not None and self.status >= 500)

    def record(self, unit: str = "ms", zone: timezone = UTC, **extra: Any) -> dict[str, Any]:
        """The line's JSON object: its latency in `unit` (ms, s or us), its time at the offset of `zone`."""
        field, divisor = FIELD[unit]
        when = self.at.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        latency = self.latency_us if unit == "us" else self.latency_us / divisor
        body = {"ts": when, "model": self.model, "endpoint": self.endpoint, "request_id": self.request_id}
        body |= {"status": self.status, field: latency}
        if self.timeout:
            body["timeout"] = True
        return body | extra

    def line(self, unit: str = "ms", zone: timezone = UTC, **extra: Any) -> bytes:
        return as_line(self.record(unit, zone, **extra))


def as_line(record: Any, **how: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False, **how).encode() + b"\n"


def draw(rng: np.random.Generator, count: int, models: Iterable[str] = SERVICES) -> list[Request]:
    """`count` requests of the three hours after NIGHT, in no order of time: workers write when they are done.

    No two share a latency, so each rank has one right answer.
    """
    names = rng.choice(sorted(models), size=count)
    places = rng.integers(0, 12, size=count)
    after = rng.integers(0, HOURS * 3_600_000, size=count)
    spread = rng.lognormal(0, 0.7, size=count)
    fates = rng.random(size=count)
    taken: set[int] = set()
    requests = []
    for name, place, millis, factor, fate in zip(map(str, names), places, after, spread, fates, strict=True):
        median, error_share, endpoints = SERVICES[name]
        place %= len(endpoints)
        latency = int(median * (1 + place / 2) * factor)
        while latency in taken:
            latency += 1
        taken.add(latency)
        requests.append(
            Request(
                model=name,
                endpoint=endpoints[place],
                request_id=new_id(rng),
                at=NIGHT + timedelta(milliseconds=int(millis)),
                latency_us=latency,
                status=503 if fate < error_share else 404 if fate > 0.95 else 200,
            )
        )
    return requests


def new_id(rng: np.random.Generator) -> str:
    return "req-" + rng.bytes(8).hex()


def time_out(request: Request) -> Request:
    """The same request when nobody answered it: no status, and all the time that the caller waited."""
    return replace(request, status=None, timeout=True, latency_us=request.latency_us + 3_000_000)


def packed(lines: Iterable[bytes], members: int = 1) -> bytes:
    """The lines as a gzip file of so many members (each flush of a shipper adds one); they may cut a line."""
    data = b"".join(lines)
    size = -(-len(data) // members) or 1
    return b"".join(gzip.compress(data[i : i + size], 6, mtime=0) for i in range(0, max(len(data), 1), size))


def log_of(requests: Iterable[Request]) -> bytes:
    return packed(request.line() for request in requests)


def shuffled(rng: np.random.Generator, requests: list[Request]) -> list[Request]:
    return [requests[i] for i in rng.permutation(len(requests))]


def cut_short(rng: np.random.Generator, lines: list[bytes]) -> tuple[bytes, int]:
    """A gzip file whose writer was killed inside a line, and how many lines stand before that one.

    It was killed just after a flush: what can be read then does not depend on who compresses or decompresses.
    """
    before = int(rng.integers(len(lines) // 3, len(lines) - 1))
    torn = lines[before][: int(rng.integers(20, 100))]
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    return pack.compress(b"".join(lines[:before]) + torn) + pack.flush(zlib.Z_SYNC_FLUSH), before


def write_big(file: BinaryIO, rng: np.random.Generator, total_bytes: int) -> list[Request]:
    """A log of `fraud` with its features: `total_bytes` of lines, well under one per cent of that on disk."""
    blob = f', "features": "{FEATURES}"}}\n'.encode()
    requests = draw(rng, -(-total_bytes // (len(blob) + 150)), ["fraud"])
    pack = zlib.compressobj(1, zlib.DEFLATED, 31)
    for request in requests:
        file.write(pack.compress(request.line().rstrip(b"}\n") + blob))
    file.write(pack.flush())
    return requests


def endless_line(total_bytes: int) -> bytes:
    """A gzip file: the start of one line, that long, which no newline ends. Takes a thousandth on disk."""
    block = 2**22
    start = gzip.compress(b'{"ts": "2026-01-06T21:00:00.000Z", "model": "fraud", "features": "', mtime=0)
    return start + gzip.compress(b"0" * block, mtime=0) * (total_bytes // block)


def write_night(folder: Path, rng: np.random.Generator) -> None:
    """The logs of one night, with what nights do to logs."""
    folder.mkdir(parents=True, exist_ok=True)
    fraud, offers, assist = (
        draw(rng, 6000, ["fraud"]),
        draw(rng, 1500, ["offers"]),
        draw(rng, 400, ["assist"]),
    )
    fraud[::90] = [time_out(request) for request in fraud[::90]]
    ours = [request.line() for request in fraud]
    ours[100:103] = [ours[100][:70] + b"\n", b"\x00" * 64 + b"\n", b'"healthy"\n']
    theirs = [request.line("s", IST) for request in offers]
    files = {
        "fraud-0.jsonl.gz": packed(ours[:3100]),
        "fraud-1.jsonl.gz": packed(ours[3000:], members=8),
        "offers 7 Jan.jsonl.gz": packed(theirs),
        "assist-0.jsonl.gz": cut_short(rng, [request.line("us") for request in assist])[0],
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write inference logs into FOLDER.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--gigabytes", type=float, help="one log of this size, not a night's logs")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.gigabytes:
        with (given.folder / "fraud-big.jsonl.gz").open("wb") as file:
            write_big(file, rng, int(given.gigabytes * 2**30))
    else:
        write_night(given.folder, rng)
    for path in sorted(given.folder.glob("*.jsonl.gz")):
        print(f"{path.stat().st_size:>10,} bytes  {path}")


if __name__ == "__main__":
    main()
