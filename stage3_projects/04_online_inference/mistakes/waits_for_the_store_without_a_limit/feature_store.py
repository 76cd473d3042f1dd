"""Asks Redis about payers, and never waits for it longer than agreed.

Three layers: a time limit for each look-up, a circuit breaker that stops asking a store which does not answer, and
one trial a second that notices when it is back.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

import metrics
from payer_features import FIELDS, HOT_PAYERS_KEY, Invalid, PayerFeatures, parse, payer_key

FAILURES_TO_OPEN = 3
TRIAL_SECONDS = 1.0
CONNECTIONS = 32
WARM_UP_BATCH = 250
NOT_NOW = (b"LOADING", b"BUSY", b"TRYAGAIN", b"CLUSTERDOWN", b"MASTERDOWN", b"READONLY")

log = logging.getLogger("uvicorn.error")


class Unavailable(Exception):
    """The store did not answer in time, or not in a way that makes sense."""


class Unknown(Exception):
    """The store answered: there is no such payer."""


@dataclass
class Breaker:
    """Open after some failures in a row: then nobody asks, except one trial per `TRIAL_SECONDS`."""

    failures: int = 0
    next_trial: float = field(default=0.0)

    def may_ask(self) -> bool:
        if self.failures < FAILURES_TO_OPEN:
            return True
        now = time.monotonic()
        if now < self.next_trial:
            return False
        self.next_trial = now + TRIAL_SECONDS  # whoever comes next within this second falls back
        return True

    def failed(self) -> None:
        self.failures += 1
        self.next_trial = time.monotonic() + TRIAL_SECONDS

    def succeeded(self) -> None:
        self.failures = 0


class FeatureStore:
    """Payers' features in Redis."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.breaker = Breaker()
        # redis-py repeats failed commands, with pauses, unless told otherwise. We have our own plan.
        pool = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=timeout_seconds, retry=Retry(NoBackoff(), 0)
        )
        self.redis = Redis(connection_pool=pool)

    async def look_up(self, payer_id: int) -> PayerFeatures:
        """The payer's features, at most `timeout_seconds` later.

        Raises:
            Unknown, Invalid: the store works; this payer has no (usable) features.
            Unavailable: the store does not work, or the breaker is open.
        """
        if not self.breaker.may_ask():
            raise Unavailable("the breaker is open")
        started = time.perf_counter()
        try:
            found = await self.redis.hmget(payer_key(payer_id), FIELDS)
        except ResponseError as error:
            if str(error).encode().startswith(NOT_NOW):
                self.breaker.failed()
                raise Unavailable(str(error)) from error
            self.breaker.succeeded()  # it answers; it is this one key that is wrong
            raise Invalid(str(error)) from error
        except (TimeoutError, OSError, RedisError, ValueError) as error:
            self.breaker.failed()
            raise Unavailable(type(error).__name__) from error
        finally:
            metrics.LOOKUP_SECONDS.observe(time.perf_counter() - started)
        self.breaker.succeeded()
        features = parse(found)
        if features is None:
            raise Unknown
        return features

    async def hot_payers(self) -> AsyncIterator[tuple[int, PayerFeatures]]:
        """Everybody on the list of hot payers who has usable features.

        Raises:
            OSError, RedisError: the store does not answer.
        """
        named = await self.redis.lrange(HOT_PAYERS_KEY, 0, -1)
        payers = [int(name) for name in named if name.isdigit()]
        for start in range(0, len(payers), WARM_UP_BATCH):
            batch = payers[start : start + WARM_UP_BATCH]
            async with self.redis.pipeline(transaction=False) as pipe:
                for payer_id in batch:
                    pipe.hmget(payer_key(payer_id), FIELDS)
                answers = await pipe.execute(raise_on_error=False)
            for payer_id, found in zip(batch, answers, strict=True):
                with contextlib.suppress(Invalid):
                    if not isinstance(found, Exception) and (features := parse(found)) is not None:
                        yield payer_id, features

    async def close(self) -> None:
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()
