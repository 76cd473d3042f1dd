"""A lock in Redis: one run at a time. Whoever leaves deletes it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis

from settings import LeaseHeld

KEY = "lease:offers"
# Compare and act in one step: between two commands the lease could become somebody else's.
OURS = "return redis.call('get', KEYS[1]) == ARGV[1] and 1 or 0"


class Lease:
    """A lease that this process got."""

    def __init__(self, client: redis.Redis) -> None:
        self.client, self.token = client, secrets.token_hex(16)

    def take(self) -> None:
        if not self.client.set(KEY, self.token, nx=True):
            raise LeaseHeld("lease: another run holds it")

    def must_be_ours(self) -> None:
        """Prove, now, that nobody else may publish.

        Raises:
            LeaseHeld: the lease ended meanwhile.
        """
        if not self.client.eval(OURS, 1, KEY, self.token):
            raise LeaseHeld("lease: it ended before this run did")

    def release(self) -> None:
        with suppress(redis.RedisError):
            self.client.delete(KEY)


_held: list[Lease] = []  # by this process: one at most


def must_be_ours() -> None:
    """Prove, now, that this process still holds the lease.

    Raises:
        LeaseHeld: it ended meanwhile, or was never taken.
    """
    if not _held:
        raise LeaseHeld("lease: this run never took it")
    _held[-1].must_be_ours()


@contextmanager
def held() -> Iterator[None]:
    """Hold the lease for the time of a `with` block.

    Raises:
        LeaseHeld: another run has it.
    """
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    lease = Lease(client)
    _held.append(lease)
    try:
        lease.take()
        yield
    finally:
        _held.remove(lease)
        lease.release()
