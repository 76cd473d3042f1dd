"""From what replicas counted in a minute to what CloudWatch keeps of the fleet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import boto3

from alarms import FRAUD, SERVICE

MOST_DATA = 1000  # of one request (PutMetricData)


@dataclass
class Minute:
    """One minute of the whole fleet. The p99 of each replica, in ms."""

    requests: int = 0
    errors: int = 0
    p99s: list[float] = field(default_factory=list)

    def add(self, line: Mapping[str, Any]) -> None:
        """What one replica counted."""
        self.requests += line["requests"]
        self.errors += line["errors"]
        if line["latency_ms"]:
            self.p99s.append(p99(line["latency_ms"]))

    def data(self, at: datetime) -> Iterator[dict[str, Any]]:
        """The data of this minute."""
        common = {"Dimensions": list(SERVICE), "Timestamp": at}
        yield {"MetricName": "Requests", "Value": float(self.requests), "Unit": "Count", **common}
        yield {"MetricName": "Errors", "Value": float(self.errors), "Unit": "Count", **common}
        if self.p99s:
            mean = sum(self.p99s) / len(self.p99s)
            yield {"MetricName": "Latency", "Value": mean, "Unit": "Milliseconds", **common}


def p99(latencies: Mapping[str, int]) -> float:
    every = sorted(float(ms) for ms, count in latencies.items() for _ in range(count))
    return every[int(0.99 * len(every))]


def publish(lines: Iterable[Mapping[str, Any]]) -> None:
    minutes: defaultdict[datetime, Minute] = defaultdict(Minute)
    for line in lines:
        minutes[datetime.fromisoformat(line["minute"])].add(line)
    cloudwatch = boto3.client("cloudwatch")
    data = (datum for at, minute in sorted(minutes.items()) for datum in minute.data(at))
    for batch in batches(data, MOST_DATA):
        cloudwatch.put_metric_data(Namespace=FRAUD, MetricData=batch)


def batches(things: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(things)
    while batch := list(islice(iterator, size)):
        yield batch
