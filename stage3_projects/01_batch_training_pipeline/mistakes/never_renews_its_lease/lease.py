"""A lease in Redis: one run at a time. The key ends by itself after `LEASE_SECONDS`, if a run dies."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis

from settings import LeaseHeld

KEY = "lease:offers"
# Compare and act in one step: between two commands the lease could become somebody else's.
RELEASE = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1]) or 0"


class Lease:
    """A lease that this process got."""

    def __init__(self, client: redis.Redis, seconds: float) -> None:
        self.client, self.token, self.millis = client, secrets.token_hex(16), max(1, round(seconds * 1000))

    def take(self) -> None:
        if not self.client.set(KEY, self.token, nx=True, px=self.millis):
            raise LeaseHeld("lease: another run holds it")

    def release(self) -> None:
        with suppress(redis.RedisError):  # it ends by itself
            self.client.eval(RELEASE, 1, KEY, self.token)


_held: list[Lease] = []  # by this process: one at most


def must_be_ours() -> None:
    """Prove, now, that this process still holds the lease.

    Raises:
        LeaseHeld: it ended meanwhile, or was never taken.
    """
    if not _held:
        raise LeaseHeld("lease: this run never took it")


@contextmanager
def held() -> Iterator[None]:
    """Hold the lease for the time of a `with` block.

    Raises:
        LeaseHeld: another run has it.
    """
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    lease = Lease(client, float(os.environ.get("LEASE_SECONDS", "60")))
    lease.take()
    _held.append(lease)
    try:
        yield
    finally:
        _held.remove(lease)
        lease.release()
