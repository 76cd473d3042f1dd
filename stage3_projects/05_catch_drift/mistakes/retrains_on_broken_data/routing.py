"""What each cause means for people: how loud, who hears it, and what they should decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a detector saw: the cause, the column that shows it, and a sentence for the person who reads it."""

    cause: str
    feature: str | None
    message: str


SEVERITY_AND_ROUTE = {
    "schema_break": ("page", "data-oncall"),
    "unit_switch": ("page", "data-oncall"),
    "null_spike": ("ticket", "data-team"),
    "renamed_category": ("ticket", "data-team"),
    "stale_features": ("ticket", "data-team"),
    "dead_upstream_job": ("ticket", "data-team"),
    "bad_deploy": ("page", "fraud-oncall"),
    "fraud_attack": ("page", "fraud-oncall"),
    "population_shift": ("ticket", "ml-team"),
    "expected_change": ("info", "digest"),
}

# A model that learns from broken data learns the fault: only a world that really changed asks for a new one.
DECISIONS = {
    "bad_deploy": "roll back",
    "fraud_attack": "retrain",
    "population_shift": "retrain",
    "expected_change": "accept",
}


def alert(finding: Finding) -> dict[str, str | None]:
    """The finding as the contract's alert."""
    severity, route = SEVERITY_AND_ROUTE[finding.cause]
    return {
        "severity": severity,
        "route": route,
        "cause": finding.cause,
        "feature": finding.feature,
        "decision": DECISIONS.get(finding.cause, "retrain"),
        "message": finding.message,
    }
