"""What each cause means for people: how loud, who hears it, and what they should decide."""

from __future__ import annotations

# From the contract: cause -> (severity, route).
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


def decision(cause: str) -> str:
    """ "fix upstream", "roll back", "retrain" or "accept": the contract says when each is right."""
    raise NotImplementedError("decision")


def alert(cause: str, feature: str | None, message: str) -> dict[str, str | None]:
    """One alert as the contract wants it."""
    severity, route = SEVERITY_AND_ROUTE[cause]
    return {
        "severity": severity,
        "route": route,
        "cause": cause,
        "feature": feature,
        "decision": decision(cause),
        "message": message,
    }
