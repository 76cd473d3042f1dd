"""The server's clock: wall time, wall time at another speed, or one that moves only when told to."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Seconds since 1970.

    Args:
        start: where it begins.
        speed: seconds of this clock for each real second; 0 stands still and is moved by `jump`.
    """

    def __init__(self, start: float, speed: float = 1.0, real: Callable[[], float] = time.monotonic) -> None:
        self._real = real
        self._base, self._since, self._speed = float(start), real(), speed

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> float:
        return self._base + (self._real() - self._since) * self._speed

    def jump(self, to: float) -> None:
        """Move on to a moment; never back."""
        self._base, self._since = max(float(to), self.now()), self._real()

    def set_speed(self, speed: float) -> None:
        self._base, self._since = self.now(), self._real()
        self._speed = speed

    def real_seconds_until(self, moment: float) -> float | None:
        """How long to sleep for a moment to come; None if it never comes by itself."""
        if self._speed <= 0:
            return None
        return max(0.0, (moment - self.now()) / self._speed)
