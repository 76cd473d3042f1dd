"""What replicas counted: lines for `monitoring.py publish`, and what the fleet's metrics must say of them."""

from __future__ import annotations

import json
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
}
REPLICAS = 3
MINUTES = 12
MANY = 5  # the minute in which there are more different latencies than fit into one datum


def draw_lines(rng: np.random.Generator, first: datetime) -> list[dict[str, Any]]:
    """In no order. A replica is silent in one minute; nobody pays in another; in the third there is no error."""
    lines = []
    silent, nobody = rng.permutation([minute for minute in range(MINUTES) if minute not in (2, MANY)])[:2]
    for minute in range(MINUTES):
        for replica in range(REPLICAS):
            if minute == silent and replica == 1:
                continue
            kinds = 120 if minute == MANY else int(rng.integers(3, 12))
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
    answer = cloudwatch.get_metric_statistics(
        Namespace=FRAUD, MetricName=name, Dimensions=BY_SERVICE, Unit=UNITS[name], Period=60, Statistics=list(what),
        StartTime=first - timedelta(hours=1), EndTime=first + timedelta(hours=1),
    )  # fmt: skip
    there = {each["Timestamp"].astimezone(UTC): each for each in answer["Datapoints"]}
    due = _due(lines, name)
    for statistic, words in what.items():
        for at in sorted(due.keys() | there.keys()):
            minute = round((at - first).total_seconds() / 60)
            got = float(there[at][statistic]) if at in there else None
            wanted = STATISTICS[statistic](due[at]) if at in due else None
            done.require(
                wanted is not None and got is not None and close(got, wanted, rel=1e-6, abs=1e-6),
                wanted=f"{words} in minute {minute}: {'none' if wanted is None else f'{wanted:g}'}",
                got="none" if got is None else f"{got:g}",
                hint=f"In {FRAUD}, with the one dimension Service=fraud, the unit of the contract and the minute's own "
                "Timestamp, of the whole fleet.",
            )


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
