"""What the service is told from outside, each with its unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Prices are assumptions for the course, not anybody's price list.

    Args:
        model_version: what the served model calls itself.
        threshold: from this score (0 to 1) on, a payment is blocked.
        most_in_flight: requests at the same time; one more is answered with 503 at once.
        remembered_decisions: how many decisions wait in memory for their label; the oldest go first.
        replica_rupees_per_hour: what one running replica costs, busy or idle.
        lookup_rupees: what one feature look-up costs.
    """

    model_version: str = "fraud-3"
    threshold: float = 0.1
    most_in_flight: int = 64
    remembered_decisions: int = 200_000
    replica_rupees_per_hour: float = 6.5
    lookup_rupees: float = 0.0002

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """
        Raises:
            ValueError: a value is no number, or out of range.
        """
        given = {
            "model_version": environment.get("FRAUD_MODEL_VERSION", cls.model_version),
            "threshold": float(environment.get("FRAUD_THRESHOLD", cls.threshold)),
            "most_in_flight": int(environment.get("FRAUD_MOST_IN_FLIGHT", cls.most_in_flight)),
        }
        settings = cls(**given)
        if not 0 < settings.threshold < 1:
            raise ValueError(f"FRAUD_THRESHOLD is {settings.threshold}: give a score between 0 and 1")
        if settings.most_in_flight < 1:
            raise ValueError(f"FRAUD_MOST_IN_FLIGHT is {settings.most_in_flight}: give 1 or more")
        return settings
