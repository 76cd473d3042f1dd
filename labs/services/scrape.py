"""Reads `/metrics` as a Prometheus server would, and takes quantiles from histogram buckets as its documentation says.

It is no query engine: PromQL, rules and routing are asked of the real Prometheus and Alertmanager, where they are.

    before = scrape(httpx.get(url).text)
    …
    after = scrape(httpx.get(url).text)
    after.histogram("request_seconds", route="/predict").since(before.histogram(…)).quantile(0.95)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from labs.errors import LabsError

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Sample:
    """One line of `/metrics`."""

    name: str
    labels: Labels
    value: float


@dataclass(frozen=True)
class Histogram:
    """Cumulative counts per upper bound, ascending; the last bound is +Inf. Units are the metric's own."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @property
    def count(self) -> float:
        return self.counts[-1] if self.counts else 0.0

    def since(self, before: Histogram) -> Histogram:
        """What was observed after `before`. A counter that went down was started anew, and counts from zero.

        Raises:
            ValueError: the two do not have the same bounds.
        """
        if self.bounds != before.bounds:
            raise ValueError(f"the buckets differ: {before.bounds} before, {self.bounds} after")
        if self.count < before.count:
            return self
        return Histogram(self.bounds, tuple(a - b for a, b in zip(self.counts, before.counts, strict=True)))

    def quantile(self, q: float) -> float:
        """The q-quantile (0 ≤ q ≤ 1), interpolated in its bucket; NaN if nothing was observed.

        As `histogram_quantile` of Prometheus for classic histograms: linear within a bucket, from zero in the lowest
        one if its bound is positive, and the highest finite bound if the quantile lies above it.
        https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
        if len(self.bounds) < 2 or self.bounds[-1] != math.inf or not self.count:
            return math.nan
        rank = q * self.count
        bucket = next(i for i, count in enumerate(self.counts) if count >= rank)
        if bucket == len(self.bounds) - 1:
            return self.bounds[-2]
        if bucket == 0 and self.bounds[0] <= 0:
            return self.bounds[0]
        below = self.counts[bucket - 1] if bucket else 0.0
        start = self.bounds[bucket - 1] if bucket else 0.0
        inside = self.counts[bucket] - below
        return start + (self.bounds[bucket] - start) * ((rank - below) / inside if inside else 0.0)

    def around(self, q: float) -> tuple[float, float]:
        """Lower and upper bound of the bucket in which the q-quantile lies: all that the histogram really knows."""
        if not self.count:
            return math.nan, math.nan
        rank = q * self.count
        bucket = next(i for i, count in enumerate(self.counts) if count >= rank)
        return (self.bounds[bucket - 1] if bucket else 0.0), self.bounds[bucket]


@dataclass(frozen=True)
class Metrics:
    """One scrape. `kinds`: name → counter, gauge, histogram, summary or unknown."""

    samples: tuple[Sample, ...]
    kinds: Mapping[str, str]

    def find(self, name: str, **labels: str) -> list[Sample]:
        """Samples of this name that carry at least these labels."""
        return [one for one in self.samples if one.name == name and labels.items() <= one.labels.items()]

    def total(self, name: str, **labels: str) -> float:
        """The sum over samples of this name with these labels; 0 if there is none."""
        return sum(one.value for one in self.find(name, **labels))

    def histogram(self, name: str, **labels: str) -> Histogram:
        """The buckets of a histogram, summed over the labels that are not given. Empty if there is none."""
        summed: dict[float, float] = {}
        for one in self.find(f"{name}_bucket", **labels):
            bound = float(one.labels.get("le", "nan"))
            summed[bound] = summed.get(bound, 0.0) + one.value
        bounds = tuple(sorted(summed))
        return Histogram(bounds, tuple(summed[bound] for bound in bounds))


def scrape(text: str) -> Metrics:
    """Parse what `/metrics` answered (Prometheus's text format 0.0.4).

    Raises:
        LabsError: it is not in that format.
    """
    samples, kinds = [], {}
    try:
        for family in text_string_to_metric_families(text):
            kinds[family.name] = family.type
            samples += [Sample(one.name, one.labels, float(one.value)) for one in family.samples]
    except (ValueError, KeyError, IndexError) as error:
        raise LabsError(
            f"/metrics is not in Prometheus's text format: {error}.",
            "Let a client library write it: prometheus_client.make_asgi_app().",
        ) from None
    return Metrics(tuple(samples), kinds)
