"""Decisions that wait for their label, and what the label says of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from reference_service.metrics import Metrics


@dataclass(frozen=True)
class Decided:
    decision: str
    rupees: float
    at: float  # Unix seconds


class Decisions:
    """The last `most` decisions by transaction. A label is counted once: its decision is forgotten with it."""

    def __init__(self, metrics: Metrics, most: int) -> None:
        self.metrics, self.most = metrics, most
        self._waiting: OrderedDict[int, Decided] = OrderedDict()

    def remember(self, transaction_id: int, decided: Decided) -> None:
        self._waiting[transaction_id] = decided
        if len(self._waiting) > self.most:
            self._waiting.popitem(last=False)

    def settle(self, transaction_id: int, is_fraud: bool) -> bool:
        """Count a label against its decision; False if there is none to count it against."""
        decided = self._waiting.pop(transaction_id, None)
        if decided is None:
            self.metrics.unmatched.inc()
            return False
        truth = "true" if is_fraud else "false"
        self.metrics.labels.labels(decided.decision, truth).inc()
        self.metrics.settled.labels(decided.decision, truth).inc(decided.rupees)
        self.metrics.label_delay.observe(max(self.metrics.now() - decided.at, 0.0))
        return True
