"""What changes without a change of code: people, money, and where the runbooks are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """Where messages of a topic go, in SNS's words: `sqs` and an ARN, `email` and an address."""

    protocol: str
    endpoint: str


@dataclass(frozen=True)
class Settings:
    monthly_budget_rupees: float
    rupees_per_dollar: float
    runbooks: str
    subscribers: dict[str, frozenset[Endpoint]]

    @classmethod
    def read(cls, path: Path) -> Settings:
        found = json.loads(path.read_text(encoding="utf-8"))
        people = {
            topic: frozenset(Endpoint(one["protocol"], one["endpoint"]) for one in listed)
            for topic, listed in found["subscribers"].items()
        }
        return cls(found["monthly_budget_rupees"], found["rupees_per_dollar"], found["runbooks"], people)

    @property
    def monthly_budget_dollars(self) -> float:
        """AWS bills this account in US dollars, so a budget in rupees would be 88 times too large."""
        return self.monthly_budget_rupees / self.rupees_per_dollar
