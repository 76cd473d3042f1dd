"""A burst of requests against a service, measured on the grader's side."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Load:
    """What a burst of requests showed. Times in milliseconds; `rps` is replies per second over the whole burst."""

    requests: int
    rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    statuses: Mapping[int, int] = field(default_factory=dict)
    errors: int = 0


def burst(
    path: Path, method: str, url: str, bodies: Sequence[Any], concurrency: int, seconds: float, requests: int
) -> Load:
    """Send requests over `concurrency` kept-alive connections to the Unix socket at `path`; see `Service.load`."""
    frames = [_frame(method, url, body) for body in (bodies or [None])]
    return asyncio.run(_burst(path, frames, concurrency, seconds, requests))


def _frame(method: str, path: str, body: Any) -> bytes:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


class _Client(asyncio.Protocol):
    """One kept-alive connection that sends the next request when the reply to the last is whole."""

    def __init__(
        self, frames: Sequence[bytes], offset: int, deadline: float, requests: int, done: Any
    ) -> None:
        self.frames, self.position = frames, offset
        self.deadline, self.left = deadline, requests or -1
        self.done = done
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.errors = 0
        self.buffer = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._next()

    def _next(self) -> None:
        if self.left == 0 or time.perf_counter() > self.deadline:
            self.transport.close()
            return
        self.left -= 1
        self.started = time.perf_counter()
        self.transport.write(self.frames[self.position % len(self.frames)])
        self.position += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        fields = head.lower()
        at = fields.find(b"content-length:")
        if at >= 0:
            if len(body) < int(fields[at + 15 :].split(b"\r\n", 1)[0]):
                return
        elif not body.endswith(b"0\r\n\r\n"):  # chunked: the last chunk is empty
            return
        self.times.append(time.perf_counter() - self.started)
        self.statuses[int(head[9:12])] += 1
        self.buffer = b""
        self._next()

    def connection_lost(self, error: BaseException | None) -> None:
        if self.left != 0 and time.perf_counter() <= self.deadline:
            self.errors += 1
        if not self.done.done():
            self.done.set_result(self)


def _itself(client: _Client) -> _Client:
    return client


async def _burst(
    path: Path, frames: Sequence[bytes], concurrency: int, seconds: float, requests: int
) -> Load:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    deadline = started + (seconds if not requests else max(seconds, 30.0))
    futures = []
    for number in range(concurrency):
        done = loop.create_future()
        share = (requests + concurrency - 1 - number) // concurrency if requests else 0
        client = _Client(frames, number * 7, deadline, share, done)
        with contextlib.suppress(OSError):
            await loop.create_unix_connection(partial(_itself, client), str(path))
            futures.append(done)
    finished, late = (
        await asyncio.wait(futures, timeout=deadline - time.perf_counter() + 5) if futures else (set(), set())
    )
    clients = [future.result() for future in finished]
    elapsed = time.perf_counter() - started
    times = sorted(span * 1000 for client in clients for span in client.times) or [float("inf")]
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    statuses: Counter[int] = sum((client.statuses for client in clients), Counter())
    errors = sum(client.errors for client in clients) + len(late) + concurrency - len(futures)
    count = sum(statuses.values())
    return Load(count, count / elapsed, cuts[49], cuts[94], cuts[98], dict(statuses), errors)
