"""A virtual clock: thirty days pass in minutes, in the same order every time.

Simulated time moves only when somebody moves it (`advance` or `sleep`), so a run does not depend on how fast
the machine is. Timers fire in order of their time; timers set for the same time fire in the order in which
they were set. One thread drives a clock; it takes no locks.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def utc(moment: datetime) -> datetime:
    """`moment` as naive UTC: an aware time is converted, a naive one is taken to be UTC already."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


@dataclass(order=True)
class Timer:
    """A callback set for one simulated time; `cancel()` keeps it from firing."""

    when: datetime
    order: int
    callback: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Keep this timer from firing. Harmless when it has already fired."""
        self.cancelled = True


class Clock:
    """Simulated time, naive UTC, starting at `start`.

    `speed` is how many simulated seconds pass in one real second: `Clock(start, speed=3600)` really waits one
    second per simulated hour. With `None` (the default) nothing waits and `sleep` returns at once.

    Raises `ValueError` when `speed` is not a positive number.
    """

    def __init__(self, start: datetime, speed: float | None = None) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(
                f"speed is {speed!r}: give simulated seconds per real second, above 0, or None not to wait"
            )
        self._now = utc(start)
        self.speed = speed
        self._timers: list[Timer] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The simulated time, naive UTC."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move time on by `by` and fire, in order, each timer that falls due; a timer sees its own time in
        `now()`.

        A callback may set more timers or sleep; time never goes back. Raises `ValueError` when `by` is
        negative. An exception in a callback comes out here, with the clock at that timer's time.
        """
        if by < timedelta(0):
            raise ValueError(f"by is {by}: time cannot go back; advance by zero or more, or make a new Clock")
        target = self._now + by
        while self._timers and self._timers[0].when <= target:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self._move_to(timer.when)
                timer.callback()
        self._move_to(target)

    def sleep(self, duration: float | timedelta) -> None:
        """Let `duration` (seconds, or a timedelta) of simulated time pass. The same as `advance`."""
        self.advance(duration if isinstance(duration, timedelta) else timedelta(seconds=duration))

    def call_at(self, when: datetime, callback: Callable[[], object]) -> Timer:
        """Call `callback()` when time reaches `when`; a `when` in the past fires at the next advance."""
        timer = Timer(utc(when), next(self._order), callback)
        heapq.heappush(self._timers, timer)
        return timer

    def call_later(self, delay: timedelta, callback: Callable[[], object]) -> Timer:
        """Call `callback()` once `delay` of simulated time has passed."""
        return self.call_at(self._now + delay, callback)

    def _move_to(self, moment: datetime) -> None:
        if moment <= self._now:  # a callback may have slept past this point
            return
        if self.speed is not None:
            time.sleep((moment - self._now).total_seconds() / self.speed)
        self._now = moment

    def __str__(self) -> str:
        return f"{self._now.isoformat(sep=' ', timespec='seconds')} UTC (simulated)"

    def __repr__(self) -> str:
        return f"<Clock {self}>"
