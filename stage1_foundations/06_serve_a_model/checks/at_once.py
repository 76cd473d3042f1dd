"""Requests side by side: what the grader does while the service is busy with something else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

from labs.checks import Load, Reply, Service

Result = TypeVar("Result")
LEAST_BURSTS, MOST_BURSTS = 10, 60
BURST = 8  # requests
PAUSE = 0.01  # seconds
PATIENCE = 60.0  # seconds; only a service that hangs needs them


def side_by_side(act: Callable[[Any], Result], things: Sequence[Any], threads: int) -> list[Result]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(act, things))


@dataclass(frozen=True)
class Overlap:
    """A slow request, and the quick ones that were answered meanwhile. Seconds."""

    slow: Reply
    quick: list[float]

    @property
    def longest(self) -> float:
        return max(self.quick)


def while_busy(service: Service, body: Any) -> Overlap:
    """Ask `/healthz` again and again while one `POST /predict/batch` is being answered."""
    with ThreadPoolExecutor(1) as pool:
        slow = begin(pool, service, body)
        quick = []
        while not slow.done():
            quick.append(service.get("/healthz", timeout=PATIENCE).expect(status=200).seconds)
        return Overlap(slow.result(), quick)


def begin(pool: ThreadPoolExecutor, service: Service, body: Any) -> Future[Reply]:
    return pool.submit(lambda: service.post("/predict/batch", json=body, timeout=PATIENCE))


def rows_for(service: Service, transactions: Sequence[Any], seconds: float) -> tuple[list[Any], float]:
    """As many of the transactions as keep this machine's service busy for about `seconds`, and for how long they do."""
    few = list(transactions[:10])
    tries = [service.post("/predict/batch", json={"transactions": few}, timeout=PATIENCE) for _ in range(3)]
    each = median(reply.expect(status=200).seconds for reply in tries) / len(few)
    rows = list(transactions[: max(20, min(round(seconds / each), len(transactions)))])
    return rows, each * len(rows)


@dataclass
class Pace:
    """The quickest of many short bursts of one caller, in milliseconds, and what came back in all of them."""

    p50_ms: float = float("inf")
    p95_ms: float = float("inf")
    statuses: Counter[int] = field(default_factory=Counter)
    errors: int = 0

    def add(self, burst: Load) -> None:
        self.p50_ms, self.p95_ms = min(self.p50_ms, burst.p50_ms), min(self.p95_ms, burst.p95_ms)
        self.statuses.update(burst.statuses)
        self.errors += burst.errors


def paces(services: Sequence[Service], bodies: Sequence[Any], enough: Callable[..., bool]) -> list[Pace]:
    """The pace of each service, measured in turn until it is `enough` or nothing more is to be expected.

    A crowded machine makes most bursts slower and never one quicker, so the quickest says what a service costs. Short
    bursts with a pause before each find an undisturbed moment, if there is one.
    """
    found = [Pace() for _ in services]
    for number in range(MOST_BURSTS):
        for service, pace in zip(services, found, strict=True):
            wait(PAUSE)
            pace.add(service.load("POST", "/predict", bodies=bodies, requests=BURST, seconds=0))
        if number >= LEAST_BURSTS and enough(*found):
            break
    return found


def wait(seconds: float) -> None:
    time.sleep(seconds)
