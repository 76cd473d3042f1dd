"""Lines that services really write: odd but right, torn, impossible. A file for each kind, named by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from log_maker import IST, Request, as_line, draw, packed

Logs = dict[str, bytes]
Record = dict[str, Any]
REQUIRED = ("ts", "model", "endpoint", "request_id", "status")
EPOCH_US = 1_767_733_200_000_000  # the clock itself, where a duration was meant: somebody forgot to subtract


def right_but_odd(rng: np.random.Generator) -> tuple[Logs, list[Request]]:
    """Kinds of lines that must be counted, a file each; and the requests in them."""
    kinds: dict[str, Callable[[Request], bytes]] = {
        "more-fields-than-we-need": lambda r: r.line(features={"amount_paise": 4900}, pod="fraud-7c9"),
        "fields-in-another-order": lambda r: as_line(dict(reversed(r.record().items()))),
        "spaces-and-a-carriage-return": lambda r: b"  " + r.line().rstrip() + b" \r\n",
        "escaped-text": lambda r: r.line(agent="AGENT").replace(b"AGENT", rb"\u091c\u091a \ud83d\ude4f"),
        "a-line-separator-inside-a-text": lambda r: r.line(agent="UPI\u2028SDK\u0085 4"),
        "no-milliseconds-in-the-time": lambda r: r.line(ts="2026-01-06T21:04:05Z"),
        "microseconds-in-the-time": lambda r: r.line(ts="2026-01-06T21:04:05.123456+00:00"),
        "a-whole-number-of-seconds": lambda r: r.line("s", IST).replace(b"3.0", b"3"),
        "a-zero-latency": lambda r: r.line(),
        "a-timeout-with-a-status": lambda r: r.line(status=200, timeout=True),
        "a-timeout-without-a-status": lambda r: as_line(without(r.record(timeout=True), "status")),
        "a-timeout-that-is-false": lambda r: r.line(timeout=False),
        "no-newline-at-its-end": lambda r: r.line().rstrip(),
    }
    requests = dict(zip(kinds, draw(rng, len(kinds)), strict=True))
    for kind, changes in {
        "a-whole-number-of-seconds": {"latency_us": 3_000_000},
        "a-zero-latency": {"latency_us": 0},
        "a-timeout-with-a-status": {"timeout": True},
        "a-timeout-without-a-status": {"timeout": True, "status": None},
    }.items():
        requests[kind] = replace(requests[kind], **changes)
    logs = {f"{kind}.jsonl.gz": packed([write(requests[kind])]) for kind, write in kinds.items()}
    return logs, list(requests.values())


def torn(rng: np.random.Generator) -> tuple[Logs, list[Request]]:
    """Kinds of lines that are no JSON object at all, each between good lines; and the good requests."""
    broken: dict[str, Callable[[bytes], bytes]] = {
        "half-a-line": lambda line: line[: int(rng.integers(40, 90))],
        "two-lines-torn-into-one": lambda line: line[: int(rng.integers(40, 90))] + line,
        "two-objects-on-one-line": lambda line: line + b" " + line,
        "zero-bytes-after-a-power-cut": lambda line: b"\x00" * int(rng.integers(50, 200)),
        "no-utf-8": lambda line: line[:-1] + b', "agent": "\xe0\xa4 caf\xe9"}',
        "plain-text": lambda line: b"WARNING: 1 worker restarted",
        "an-empty-line": lambda line: b"",
        "a-text": lambda line: b'"healthy"',
        "a-number": lambda line: b"200",
        "a-null": lambda line: b"null",
        "a-list": lambda line: b"[" + line + b"]",
    }
    lines = {kind: lambda r, f=f: f(r.line().rstrip()) + b"\n" for kind, f in broken.items()}
    return _between_good_lines(rng, lines)


def impossible(rng: np.random.Generator) -> tuple[Logs, list[Request]]:
    """Kinds of objects that cannot be true, each between good lines; and the good requests."""
    broken: dict[str, Callable[[Record], Record]] = {
        **{f"no-{key}": lambda r, k=key: without(r, k) for key in REQUIRED},
        "an-empty-model": lambda r: r | {"model": ""},
        "a-model-that-is-null": lambda r: r | {"model": None},
        "an-endpoint-that-is-a-list": lambda r: r | {"endpoint": ["/predict"]},
        "a-request_id-that-is-a-number": lambda r: r | {"request_id": 17},
        "a-time-without-an-offset": lambda r: r | {"ts": "2026-01-07T02:41:00.000"},
        "a-time-that-is-no-time": lambda r: r | {"ts": "2026-01-06T25:61:00Z"},
        "a-time-that-is-a-number": lambda r: r | {"ts": 1767733200},
        "a-status-in-quotes": lambda r: r | {"status": "200"},
        "a-status-of-0": lambda r: r | {"status": 0},
        "a-status-of-999": lambda r: r | {"status": 999},
        "no-latency": lambda r: without(r, "latency_ms"),
        "two-latencies": lambda r: r | {"latency_s": r["latency_ms"] / 1000},
        "a-negative-latency": lambda r: r | {"latency_ms": -r["latency_ms"]},
        "a-latency-of-NaN": lambda r: r | {"latency_ms": float("nan")},
        "an-infinite-latency": lambda r: r | {"latency_ms": float("inf")},
        "a-latency-in-quotes": lambda r: r | {"latency_ms": str(r["latency_ms"])},
        "a-latency-that-is-true": lambda r: r | {"latency_ms": True},
        "a-latency-that-is-null": lambda r: r | {"latency_ms": None},
        "a-latency-of-56-years": lambda r: without(r, "latency_ms") | {"latency_us": EPOCH_US},
    }
    lines = {kind: lambda r, f=f: as_line(f(r.record())) for kind, f in broken.items()}
    return _between_good_lines(rng, lines)


def without(record: Record, key: str) -> Record:
    return {name: value for name, value in record.items() if name != key}


def _between_good_lines(
    rng: np.random.Generator, kinds: dict[str, Callable[[Request], bytes]]
) -> tuple[Logs, list[Request]]:
    logs, good = {}, []
    for kind, write in kinds.items():
        before, victim, after = draw(rng, 3)
        logs[f"{kind}.jsonl.gz"] = packed([before.line(), write(victim), after.line()])
        good += [before, after]
    return logs, good
