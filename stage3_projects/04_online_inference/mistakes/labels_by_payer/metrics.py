"""What Prometheus reads. Every label has a handful of values, whatever callers send."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# The objectives are p95 ≤ 50 ms and p99 ≤ 120 ms. A histogram knows nothing between two bounds,
# so both objectives are bounds, with close neighbours.
REQUEST_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.14, 0.2, 0.3, 0.5, 1, 2.5, 5,
)  # fmt: skip
LOOKUP_BUCKETS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1)

REGISTRY = CollectorRegistry()
REQUEST_SECONDS = Histogram(
    "fraud_request_duration_seconds", "Whole time of POST /predict", ["status"],
    buckets=REQUEST_BUCKETS, registry=REGISTRY,
)  # fmt: skip
REQUESTS = Counter("fraud_requests", "Answered POST /predict", ["status"], registry=REGISTRY)
IN_FLIGHT = Gauge("fraud_in_flight", "POST /predict being worked on", registry=REGISTRY)
SHED = Counter("fraud_shed", "POST /predict turned away, too many at once", registry=REGISTRY)
LOOKUP_SECONDS = Histogram(
    "fraud_lookup_duration_seconds", "Questions to the feature store, also those given up",
    buckets=LOOKUP_BUCKETS, registry=REGISTRY,
)  # fmt: skip
CACHE = Counter("fraud_cache_requests", "Payers asked of the cache", ["result", "payer_id"], registry=REGISTRY)
FALLBACKS = Counter("fraud_fallbacks", "Scored with default features", ["reason"], registry=REGISTRY)
for reason in ("missing", "invalid", "unavailable"):
    FALLBACKS.labels(reason)  # a counter that exists from the start has a rate from the start
