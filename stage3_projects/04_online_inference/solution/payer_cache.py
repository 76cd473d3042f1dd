"""Features kept in the process for a short while: the store's answer to the last question."""

from __future__ import annotations

import time

from payer_features import PayerFeatures


class PayerCache:
    """Entries leave by age, and the oldest leave when there are too many. Failures never get in."""

    def __init__(self, seconds: float, most: int = 100_000) -> None:
        self.seconds = seconds
        self.most = most
        self._entries: dict[int, tuple[float, PayerFeatures]] = {}

    def get(self, payer_id: int) -> PayerFeatures | None:
        entry = self._entries.get(payer_id)
        if entry is None or time.monotonic() - entry[0] > self.seconds:
            return None
        return entry[1]

    def put(self, payer_id: int, features: PayerFeatures, read_at: float) -> None:
        """`read_at`: `time.monotonic()` from before the store was asked. The answer may be that old."""
        self._entries.pop(payer_id, None)
        if len(self._entries) >= self.most:
            del self._entries[next(iter(self._entries))]
        self._entries[payer_id] = (read_at, features)
