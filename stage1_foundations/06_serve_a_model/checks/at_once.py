"""Requests side by side: what the grader does while the service is busy with something else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

from labs.checks import Reply, Service

Result = TypeVar("Result")
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


def wait(seconds: float) -> None:
    time.sleep(seconds)
