"""A lease in Redis: one run at a time, for as long as it shows that it lives.

Not a lock that stays when its holder dies. The key ends by itself after `LEASE_SECONDS`; the holder prolongs it from a
thread. A holder that was paused for longer has lost it, and must find out before it publishes.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis

from settings import LeaseHeld

KEY = "lease:offers"
# Compare and act in one step: between two commands the lease could become somebody else's.
PROLONG = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('pexpire', KEYS[1], ARGV[2]) or 0"
RELEASE = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1]) or 0"


class Lease:
    """A lease that this process got."""

    def __init__(self, client: redis.Redis, seconds: float) -> None:
        self.client, self.token, self.millis = client, secrets.token_hex(16), max(1, round(seconds * 1000))
        self.over = threading.Event()

    def take(self) -> None:
        if not self.client.set(KEY, self.token, nx=True, px=self.millis):
            raise LeaseHeld("lease: another run holds it")

    def must_be_ours(self) -> None:
        """Prove, now, that nobody else may publish.

        Raises:
            LeaseHeld: the lease ended meanwhile.
        """
        if not self.client.eval(PROLONG, 1, KEY, self.token, self.millis):
            raise LeaseHeld("lease: it ended before this run did")

    def keep(self) -> None:
        """Prolong it three times in its life, until it is over. A failed try is tried again."""
        while not self.over.wait(self.millis / 3000):
            with suppress(redis.RedisError):
                if not self.client.eval(PROLONG, 1, KEY, self.token, self.millis):
                    return  # lost: never take it back, `must_be_ours` will say so

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
    _held[-1].must_be_ours()


@contextmanager
def held() -> Iterator[None]:
    """Hold the lease for the time of a `with` block.

    Raises:
        LeaseHeld: another run has it.
    """
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    lease = Lease(client, float(os.environ.get("LEASE_SECONDS", "60")))
    lease.take()
    keeper = threading.Thread(target=lease.keep, daemon=True)
    keeper.start()
    _held.append(lease)
    try:
        yield
    finally:
        _held.remove(lease)
        lease.over.set()
        keeper.join()
        lease.release()
