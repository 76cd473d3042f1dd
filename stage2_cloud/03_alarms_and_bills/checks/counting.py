"""What replicas counted: lines for `monitoring.py publish`, and what the fleet's metrics must say of them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from labs.checks import Finished, close
from streams import BY_SERVICE, FRAUD, UNITS

STATISTICS = {"Sum": sum, "SampleCount": len, "Minimum": min, "Maximum": max}
OF_A_DISTRIBUTION = {
    "SampleCount": "latencies",
    "Sum": "the sum of latencies",
    "Minimum": "the smallest latency",
    "Maximum": "the largest latency",
    "p25": "the 25th percentile of latency",
    "p50": "the 50th percentile of latency",
    "p90": "the 90th percentile of latency",
    "p99": "the 99th percentile of latency",
}
REPLICAS = 3
MINUTES = 12
MANY = 5  # the minute in which there are more different latencies than fit into one datum
LATER = 340  # minutes in which one replica says little: more data in all than fit into one request


def draw_lines(rng: np.random.Generator, first: datetime) -> list[dict[str, Any]]:
    """In no order. A replica is silent in one minute; nobody pays in another; in the third there is no error.

    Then come hours in which one replica alone says little.
    """
    lines = []
    silent, nobody = rng.permutation([minute for minute in range(MINUTES) if minute not in (2, MANY)])[:2]
    for minute in range(MINUTES + LATER):
        for replica in range(REPLICAS if minute < MINUTES else 1):
            if minute == silent and replica == 1:
                continue
            most = 12 if minute < MINUTES else 5
            kinds = 120 if minute == MANY else int(rng.integers(3, most))
            latencies = np.round(rng.lognormal(2.5, 0.6, kinds), 3)
            counts = np.zeros(kinds, dtype=int) if minute == nobody else rng.integers(1, 9, kinds)
            requests = int(counts.sum())
            errors = 0 if minute in (2, nobody) else int(rng.integers(0, requests // 2 + 1))
            lines.append(
                {
                    "minute": (first + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "replica": f"fraud-{replica}",
                    "requests": requests,
                    "errors": errors,
                    "latency_ms": {str(ms): int(n) for ms, n in zip(latencies, counts, strict=True) if n},
                }
            )
    return [lines[place] for place in rng.permutation(len(lines))]


def as_file(lines: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def judge(
    done: Finished,
    lines: list[dict[str, Any]],
    first: datetime,
    cloudwatch: Any,
    name: str,
    what: dict[str, str],
) -> None:
    """Compares these statistics of a metric, as CloudWatch has them for the fleet, with what the replicas counted."""
    kinds = {"Statistics": [each for each in what if each in STATISTICS]}
    if percentiles := [each for each in what if each not in STATISTICS]:
        kinds["ExtendedStatistics"] = percentiles
    answer = cloudwatch.get_metric_statistics(
        Namespace=FRAUD, MetricName=name, Dimensions=BY_SERVICE, Unit=UNITS[name], Period=60, **kinds,
        StartTime=first - timedelta(hours=1), EndTime=first + timedelta(minutes=MINUTES + LATER, hours=1),
    )  # fmt: skip
    there = {
        each["Timestamp"].astimezone(UTC): each | each.get("ExtendedStatistics", {})
        for each in answer["Datapoints"]
    }
    due = _due(lines, name)
    for statistic, words in what.items():
        for at in sorted(due.keys() | there.keys()):
            minute = round((at - first).total_seconds() / 60)
            got = float(there[at][statistic]) if statistic in there.get(at, {}) else None
            wanted = _of(statistic, due[at]) if at in due else None
            done.require(
                wanted is not None and got is not None and close(got, wanted, rel=1e-6, abs=1e-6),
                wanted=f"{words} in minute {minute}: {'none' if wanted is None else f'{wanted:g}'}",
                got="none" if got is None else f"{got:g}",
                hint="CloudWatch takes percentiles from the values themselves: `Values` and `Counts`."
                if statistic in percentiles
                else f"In {FRAUD}, with the one dimension Service=fraud, the unit of the contract and the minute's own "
                "Timestamp, of the whole fleet.",
            )


def _of(statistic: str, values: list[float]) -> float:
    """A percentile is the smallest value that so many percent of all values do not exceed."""
    if statistic in STATISTICS:
        return float(STATISTICS[statistic](values))
    return sorted(values)[math.ceil(float(statistic[1:]) / 100 * len(values) - 1e-9) - 1]


def _due(lines: list[dict[str, Any]], name: str) -> dict[datetime, list[float]]:
    """All samples of each minute; no minute without any (there is no latency without a request)."""
    found: dict[datetime, list[float]] = {}
    for line in lines:
        values = found.setdefault(datetime.fromisoformat(line["minute"]), [])
        if name == "Latency":
            values += [float(ms) for ms, count in line["latency_ms"].items() for _ in range(count)]
        else:
            values.append(float(line[name.lower()]))
    return {at: values for at, values in found.items() if values}
