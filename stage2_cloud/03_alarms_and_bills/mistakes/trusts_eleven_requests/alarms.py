"""Every alarm of `fraud`, as data. What wakes somebody, what becomes a ticket, and what is about money.

The objective: 99.9 % of requests are answered, and p99 is at most 120 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "nukkad-fraud-"
FRAUD, COSTS = "Nukkad/Fraud", "Nukkad/Costs"
SERVICE = ({"Name": "Service", "Value": "fraud"},)
NIGHTLY_JOB = (*SERVICE, {"Name": "Job", "Value": "nightly-features"})
MINUTE, FIVE_MINUTES, HOUR = 60, 300, 3600  # seconds

ENOUGH_A_MINUTE = 11  # requests: at night there are about ten
PAGE_PERCENT, BURN_PERCENT = 5, 0.5  # of requests that failed
SLOW_MS = 120
RUNAWAY_RUPEES = 5000  # an hour; training costs more than that, but never for longer than 5 hours


def query(
    ident: str, name: str, stat: str, period: int, namespace: str = FRAUD, dimensions=SERVICE
) -> dict[str, Any]:
    """One metric of an expression; it is not what the alarm looks at itself."""
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": list(dimensions)}
    return {
        "Id": ident,
        "MetricStat": {"Metric": metric, "Stat": stat, "Period": period},
        "ReturnData": False,
    }


def result(expression: str, label: str) -> dict[str, Any]:
    return {"Id": "result", "Expression": expression, "Label": label, "ReturnData": True}


def error_percent(period: int) -> list[dict[str, Any]]:
    """The share of requests that failed, in percent; 0 while there are too few to say."""
    enough = ENOUGH_A_MINUTE * period // MINUTE
    return [
        query("requests", "Requests", "Sum", period),
        query("errors", "Errors", "Sum", period),
        result(f"IF(requests >= {enough}, 100 * errors / requests, 0)", "errors, % of requests"),
    ]


@dataclass(frozen=True)
class Alarm:
    """`what` is in CloudWatch's words; `tells` names topics. One that tells nobody is part of a composite alarm."""

    name: str
    meaning: str
    what: Mapping[str, Any] = field(repr=False)
    tells: tuple[str, ...] = ()

    @property
    def is_composite(self) -> bool:
        return "AlarmRule" in self.what

    def arguments(self, topics: Mapping[str, str], runbooks: str) -> dict[str, Any]:
        arns = [topics[name] for name in self.tells]
        return {
            "AlarmName": PREFIX + self.name,
            "AlarmDescription": f"{self.meaning}\nRunbook: {runbooks}{self.name}",
            "AlarmActions": arns,
            "OKActions": arns,
            **self.what,
        }


def expression(
    queries: list[dict[str, Any]], above: float, bad: int, of: int, missing: str
) -> dict[str, Any]:
    return {
        "Metrics": queries,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": above,
        "DatapointsToAlarm": bad,
        "EvaluationPeriods": of,
        "TreatMissingData": missing,
    }


def any_of(*names: str) -> dict[str, str]:
    return {"AlarmRule": " OR ".join(f'ALARM("{PREFIX}{name}")' for name in names)}


def all_of(*names: str) -> dict[str, str]:
    return {"AlarmRule": " AND ".join(f'ALARM("{PREFIX}{name}")' for name in names)}


def symptoms() -> Iterator[Alarm]:
    """What users feel. Eight bad minutes of fifteen: a deployment has three, and a flapping line never has eight."""
    yield Alarm(
        "errors",
        f"More than {PAGE_PERCENT} % of requests fail.",
        expression(error_percent(MINUTE), PAGE_PERCENT, bad=8, of=15, missing="notBreaching"),
    )
    slow = [
        query("requests", "Requests", "Sum", MINUTE),
        query("p99", "Latency", "p99", MINUTE),
        result(f"IF(requests >= {ENOUGH_A_MINUTE}, p99, 0)", "p99, ms"),
    ]
    yield Alarm("slow", f"p99 is above {SLOW_MS} ms.", expression(slow, SLOW_MS, 8, 15, "notBreaching"))
    yield Alarm(
        "silent",
        "The service publishes nothing: a living one says 0 when nobody pays.",
        {
            "Namespace": FRAUD,
            "MetricName": "Requests",
            "Dimensions": list(SERVICE),
            "Statistic": "SampleCount",
            "Period": MINUTE,
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": 1,
            "EvaluationPeriods": 5,
            "TreatMissingData": "breaching",
        },
    )
    yield Alarm(
        "page",
        "Payments suffer. One page, whatever is broken.",
        any_of("errors", "slow", "silent"),
        ("oncall",),
    )


def slow_burn() -> Iterator[Alarm]:
    """The error budget (0.1 % a month) at five times its pace: for three hours, and still in the last one."""
    long = expression(error_percent(HOUR), BURN_PERCENT, bad=3, of=3, missing="notBreaching")
    short = expression(error_percent(FIVE_MINUTES), BURN_PERCENT, bad=3, of=12, missing="notBreaching")
    yield Alarm("burn-long", "The error budget burns five times too fast for hours.", long)
    yield Alarm("burn-now", "The error budget burns five times too fast right now.", short)
    yield Alarm(
        "burn", "The error budget burns five times too fast.", all_of("burn-long", "burn-now"), ("team",)
    )


def blindness() -> Iterator[Alarm]:
    """We would not know."""
    for name in ("Errors", "Latency"):
        queries = [
            query("requests", "Requests", "Sum", MINUTE),
            query("other", name, "SampleCount", MINUTE),
            result(
                f"IF(requests >= {ENOUGH_A_MINUTE} AND FILL(other, 0) < 1, 1, 0)", f"requests, but no {name}"
            ),
        ]
        yield Alarm(
            f"no-{name.lower()}",
            f"There are requests, and nobody publishes {name}: its alarms are blind.",
            expression(queries, 0, bad=15, of=15, missing="notBreaching"),
            ("team",),
        )
    beats = [
        query("beats", "JobSucceeded", "Sum", HOUR, dimensions=NIGHTLY_JOB),
        result("IF(FILL(beats, 0) < 1, 1, 0)", "hours without success"),
    ]
    yield Alarm(
        "nightly-job",
        "For 26 hours the nightly job has not succeeded: features get stale.",
        expression(beats, 0, bad=26, of=26, missing="breaching"),
        ("oncall",),
    )


def spending() -> Iterator[Alarm]:
    yield Alarm(
        "runaway",
        f"For 7 hours fraud has cost more than {RUNAWAY_RUPEES} rupees an hour: look for a job that never ends.",
        {
            "Namespace": COSTS,
            "MetricName": "SpendRupees",
            "Dimensions": list(SERVICE),
            "Statistic": "Sum",
            "Period": HOUR,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": RUNAWAY_RUPEES,
            "EvaluationPeriods": 7,
            "TreatMissingData": "ignore",
        },
        ("finance", "oncall"),
    )


def all_alarms(topics: Mapping[str, str], runbooks: str) -> list[dict[str, Any]]:
    """Arguments of `put_metric_alarm` and `put_composite_alarm`; a composite comes after its parts."""
    every = [*symptoms(), *slow_burn(), *blindness(), *spending()]
    return [
        alarm.arguments(topics, runbooks) for alarm in sorted(every, key=lambda alarm: alarm.is_composite)
    ]
