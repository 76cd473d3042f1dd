"""How long to wait before asking again."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

LONGEST = 16  # times the first wait


def waits() -> Iterator[float]:
    """Seconds to wait, one after the other, for ever: each twice the one before, up to `LONGEST` times the first.

    Up to half of a wait is added at random, so that callers who failed together do not come back together.
    """
    first = float(os.environ.get("RELEASE_WAIT_SECONDS", "1"))
    factor = 1
    while True:
        yield first * factor * random.uniform(1.0, 1.5)
        factor = min(factor * 2, LONGEST)
