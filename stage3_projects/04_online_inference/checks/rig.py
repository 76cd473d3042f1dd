"""The learner's service before a Redis that can misbehave: started, asked, held against the contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis

import payers
import watching
from between import Between
from labs.checks import Reply, Service, Work
from model_maker import Model
from payers import Case, Draws
from watching import expect_prediction, renamed


@dataclass(frozen=True)
class Rig:
    """What one check works with. `hot`: the payers on the list of hot payers whose features can be used."""

    work: Work
    between: Between
    model: Model
    store: redis.Redis
    hot: list[Case]
    draws: Draws
    rng: np.random.Generator

    def serve(self, **env: str) -> Service:
        """Start the service; the environment of the contract, with generous limits unless `env` says otherwise."""
        self.work.reach(self.between.port, {"REDIS_URL": self.between.url})
        given = {
            "MODEL_PATH": self.work.give("fraud.onnx", self.model.content),
            "LOOKUP_TIMEOUT_MS": "2000",
            "CACHE_SECONDS": "600",
            "STALE_SECONDS": str(payers.STALE_SECONDS),
            "MAX_IN_FLIGHT": "64",
        }
        return self.work.serve("app.py:app", env={**given, **env})

    def ready(self, **env: str) -> Service:
        service = self.serve(**env)
        service.poll("/readyz", timeout=watching.PATIENCE)
        self.between.asked.clear()
        return service

    def cases(self, count: int) -> list[Case]:
        """Payments of payers whom the store does not know."""
        return self.draws.cases(self.rng, count)

    def stored(self, count: int) -> list[Case]:
        """Payments of payers whose features are in the store."""
        cases = self.cases(count)
        payers.put(self.store, cases)
        return cases

    def expect(self, service: Service, cases: Sequence[Case], origin: str | Sequence[str]) -> None:
        """Send every case; expect its own probability, and its origin (one for all, or one for each)."""
        origins = [origin] * len(cases) if isinstance(origin, str) else origin
        wanted = self.model.probabilities([case.row for case in cases])
        for case, probability, one in zip(cases, wanted, origins, strict=True):
            expect_prediction(post(service, case), case, probability, one, self.model)

    def expect_fallback(self, service: Service, cases: Sequence[Case], did: str = "") -> None:
        wanted = self.model.probabilities([case.without_store for case in cases])
        for case, probability in zip(cases, wanted, strict=True):
            reply = post(service, case)
            expect_prediction(
                renamed(reply, did) if did else reply, case, probability, "fallback", self.model
            )

    @contextmanager
    def held(self, service: Service, cases: Sequence[Case]) -> Iterator[list[Future[Reply]]]:
        """Payments whose look-ups the store does not answer until the block ends; then they are `fresh`."""
        self.between.held.update(case.payer_id for case in cases)
        with ThreadPoolExecutor(len(cases)) as pool:
            waiting = [begin(pool, service, case) for case in cases]
            try:
                yield waiting
            finally:
                self.between.held.clear()
            wanted = self.model.probabilities([case.row for case in cases])
            for case, one, probability in zip(cases, waiting, wanted, strict=True):
                expect_prediction(one.result(), case, probability, "fresh", self.model)


def post(service: Service, case: Case, timeout: float = 5.0) -> Reply:
    return service.post("/predict", json=case.payment, timeout=timeout)


def begin(pool: ThreadPoolExecutor, service: Service, case: Case) -> Future[Reply]:
    return pool.submit(post, service, case, watching.PATIENCE)


def expect_counts(service: Service, found: Any, before: Any, wanted: list[tuple[str, int, dict]]) -> None:
    """(metric, by how much it went up, labels) for every one of `wanted`."""
    for name, count, labels in wanted:
        got = found.total(name, **labels) - before.total(name, **labels)
        label = "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
        renamed(service.get("/healthz"), "GET /metrics before and after").require(
            got == count,
            wanted=f"`{name}{label}` up by {count}",
            got=f"up by {got:g}",
            hint="Count once, where every request passes, whatever becomes of it.",
        )
