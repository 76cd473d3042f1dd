"""From what replicas counted in a minute to what CloudWatch keeps of the fleet."""

from __future__ import annotations

from collections import Counter, defaultdict
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
    """One minute of the whole fleet. Latencies in ms, and how many requests took each."""

    requests: int = 0
    errors: int = 0
    latencies: Counter[float] = field(default_factory=Counter)

    def add(self, line: Mapping[str, Any]) -> None:
        """What one replica counted."""
        self.requests += line["requests"]
        self.errors += line["errors"]
        self.latencies.update({float(ms): count for ms, count in line["latency_ms"].items() if count})

    def data(self, at: datetime) -> Iterator[dict[str, Any]]:
        """The data of this minute: four numbers say all about the latencies, and take little room."""
        common = {"Dimensions": list(SERVICE), "Timestamp": at}
        yield {"MetricName": "Requests", "Value": float(self.requests), "Unit": "Count", **common}
        yield {"MetricName": "Errors", "Value": float(self.errors), "Unit": "Count", **common}
        if self.latencies:
            yield {
                "MetricName": "Latency",
                "StatisticValues": {
                    "SampleCount": float(self.latencies.total()),
                    "Sum": sum(ms * count for ms, count in self.latencies.items()),
                    "Minimum": min(self.latencies),
                    "Maximum": max(self.latencies),
                },
                "Unit": "Milliseconds",
                **common,
            }


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
