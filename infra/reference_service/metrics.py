"""Every metric of the service, in Prometheus's names and base units: seconds, bytes, ratios; money in rupees.

https://prometheus.io/docs/practices/naming/ and https://prometheus.io/docs/practices/histograms/
No label takes a value from a request, or a stranger could make as many time series as they like.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from reference_service.settings import Settings

# The objective is 50 ms. A bucket ends exactly there, so "within the objective" is counted and not estimated; the
# neighbours are narrow, so that a p95 near it is off by 10 ms at most.
LATENCY_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.02,
    0.03,
    0.04,
    0.05,
    0.06,
    0.075,
    0.1,
    0.15,
    0.25,
    0.5,
    1.0,
    2.5,
)
# Frauds are rare and most scores are tiny: narrow at the bottom, and around any sensible threshold.
SCORES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
AGE_SECONDS = (
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1800.0,
    3600.0,
    21600.0,
    43200.0,
    86400.0,
    108000.0,
    172800.0,
)
LABEL_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 3600.0, 86400.0, 259200.0, 604800.0, 1209600.0, 2592000.0)

FEATURE_VIEWS = ("payer_activity", "payer_profile")  # from the stream consumer; from the nightly job
DECISIONS = ("allow", "block")
FEATURE_PROBLEMS = (
    ("payer_mean_amount_30d_paise", "missing"),
    ("device_age_days", "missing"),
    ("distance_km", "missing"),
    ("channel", "unknown"),
    ("merchant_category", "unknown"),
)


class Metrics:
    """One service's metrics, in a registry of their own so that two services can live in one process.

    Args:
        settings: limits and prices.
        now: Unix time in seconds.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self.registry = registry = CollectorRegistry()
        self.now = now
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "http_requests_total", "Answered requests.", ["method", "route", "status"], registry=registry
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "From the first byte read to the last byte written.",
            ["method", "route"],
            buckets=LATENCY_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "http_requests_in_flight", "Requests that are being answered now.", registry=registry
        )
        limit = Gauge(
            "http_requests_in_flight_limit",
            "At this many in flight, further ones are answered with 503.",
            registry=registry,
        )
        limit.set(settings.most_in_flight)
        model = Gauge(
            "fraud_model_info", "1 for the model that is served.", ["model_version"], registry=registry
        )
        model.labels(settings.model_version).set(1)
        self.score = Histogram(
            "fraud_score",
            "The model's score, 0 to 1.",
            ["model_version"],
            buckets=SCORES,
            registry=registry,
        )
        self.decisions = Counter(
            "fraud_decisions_total", "Decisions.", ["decision", "model_version"], registry=registry
        )
        self.payments = Counter(
            "fraud_payments_rupees_total",
            "Value of the payments decided on.",
            ["decision"],
            registry=registry,
        )
        self.labels = Counter(
            "fraud_labels_total",
            "Labels that met their decision.",
            ["decision", "is_fraud"],
            registry=registry,
        )
        self.settled = Counter(
            "fraud_settled_rupees_total",
            "Value of the payments whose label is known.",
            ["decision", "is_fraud"],
            registry=registry,
        )
        self.unmatched = Counter(
            "fraud_labels_unmatched_total", "Labels of payments that are not remembered.", registry=registry
        )
        self.label_delay = Histogram(
            "fraud_label_delay_seconds", "From decision to label.", buckets=LABEL_SECONDS, registry=registry
        )
        self.feature_problems = Counter(
            "fraud_feature_problems_total",
            "Values that the model was not trained on.",
            ["feature", "problem"],
            registry=registry,
        )
        self.feature_age = Histogram(
            "fraud_feature_age_seconds",
            "How old the features of a request were when they were used.",
            ["feature_view"],
            buckets=AGE_SECONDS,
            registry=registry,
        )
        self.freshness = Gauge(
            "fraud_feature_freshness_seconds",
            "Now minus the newest event time that was seen of a feature view.",
            ["feature_view"],
            registry=registry,
        )
        self._newest: dict[str, float] = {}
        self._lookups = dict.fromkeys(FEATURE_VIEWS, 0)
        registry.register(_Cost(settings, self._lookups, now))
        self._show_zeros(settings.model_version)

    def looked_up(self, view: str, event_time: float) -> None:
        """A feature of this view was used; `event_time` (Unix seconds) is when it was true."""
        self._lookups[view] += 1
        self.feature_age.labels(view).observe(max(self.now() - event_time, 0.0))
        if view not in self._newest:
            self._newest[view] = event_time
            self.freshness.labels(view).set_function(lambda: max(self.now() - self._newest[view], 0.0))
        self._newest[view] = max(self._newest[view], event_time)

    def _show_zeros(self, version: str) -> None:
        """What has not happened yet is 0, not absent: rates and alerts can then tell the two apart."""
        self.requests.labels("POST", "/predict", "200")
        self.requests.labels("POST", "/predict", "503")
        for feature, problem in FEATURE_PROBLEMS:
            self.feature_problems.labels(feature, problem)
        for decision in DECISIONS:
            self.decisions.labels(decision, version)
            self.payments.labels(decision)
            for is_fraud in ("true", "false"):
                self.labels.labels(decision, is_fraud)
                self.settled.labels(decision, is_fraud)


class _Cost(Collector):
    """Money spent since the start: a counter, so that any window's cost is a difference."""

    def __init__(self, settings: Settings, lookups: dict[str, int], now: Callable[[], float]) -> None:
        self.settings, self.lookups, self.now = settings, lookups, now
        self.started = now()

    def collect(self) -> Iterator[Metric]:
        spent = CounterMetricFamily(
            "fraud_serving_cost_rupees", "What serving has cost since the start.", labels=["component"]
        )
        hours = max(self.now() - self.started, 0.0) / 3600
        spent.add_metric(["replica"], hours * self.settings.replica_rupees_per_hour)
        spent.add_metric(["feature_lookup"], sum(self.lookups.values()) * self.settings.lookup_rupees)
        yield spent
