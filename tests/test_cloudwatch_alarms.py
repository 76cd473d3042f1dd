"""Alarms as CloudWatch's user guide has them: its two tables of examples, metric math, composite alarms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labs.services.aws.alarms import Change, NotEvaluated, Samples, metric, next_state, play
from labs.services.aws.metric_math import BadExpression, evaluate

X, O, NONE = 9.0, 1.0, float("nan")  # noqa: E741  breaching, within the threshold, missing
HIGH = {
    "AlarmName": "high", "Namespace": "Fraud", "MetricName": "p99", "Statistic": "Average", "Period": 60,
    "EvaluationPeriods": 3, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": ["pager"],
    "OKActions": ["all-clear"],
}  # fmt: skip
KEPT = "kept"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
# "Configuring how CloudWatch alarms treat missing data": the five most recent points, and the state for each treatment.
THREE_OF_THREE = [
    ((O, NONE, X, NONE, X), ("OK", "OK", "OK", "OK")),
    ((NONE, NONE, NONE, NONE, O), ("OK", "OK", "OK", "OK")),
    ((NONE, NONE, NONE, NONE, NONE), ("INSUFFICIENT_DATA", KEPT, "ALARM", "OK")),
    ((O, X, X, NONE, X), ("ALARM", "ALARM", "ALARM", "ALARM")),
    ((NONE, NONE, X, NONE, NONE), ("ALARM", KEPT, "ALARM", "OK")),
]
TWO_OF_THREE = [
    ((O, NONE, X, NONE, X), ("ALARM", "ALARM", "ALARM", "ALARM")),
    ((O, O, X, O, X), ("ALARM", "ALARM", "ALARM", "ALARM")),
    ((O, NONE, X, NONE, NONE), ("OK", "OK", "ALARM", "OK")),
    ((NONE, NONE, NONE, NONE, O), ("OK", "OK", "ALARM", "OK")),
    ((NONE, NONE, NONE, X, NONE), ("ALARM", KEPT, "ALARM", "OK")),
]
CASES = [(m, points, dict(zip(TREATMENTS, states, strict=True)))
         for m, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE)) for points, states in table]  # fmt: skip


@pytest.mark.parametrize(("m", "points", "states"), CASES)
def test_the_tables_of_the_guide(m: int, points: tuple[float, ...], states: dict[str, str]) -> None:
    for treatment, wanted in states.items():
        about = {**HIGH, "DatapointsToAlarm": m, "TreatMissingData": treatment}
        assert next_state(about, points, KEPT) == wanted, treatment


def test_one_breaching_point_after_silence_is_too_young_for_an_alarm() -> None:
    assert next_state(HIGH, (NONE, NONE, NONE, NONE, X), "OK") == "OK"
    assert next_state(HIGH, (NONE, NONE, NONE, X, NONE), "OK") == "OK"


def published(values: list[float], name: str = "p99", period: int = 60) -> dict[Any, Samples]:
    kept = [(i * period + 1.0, value) for i, value in enumerate(values) if not np.isnan(value)]
    times, numbers = (
        (np.array(column) for column in zip(*kept, strict=True)) if kept else (np.empty(0), np.empty(0))
    )
    return {metric("Fraud", name): Samples(times, numbers, np.ones(len(numbers)))}


def told(changes: list[Change]) -> list[tuple[float, str, tuple[str, ...]]]:
    return [(change.at / 60, change.after, change.topics) for change in changes]


def test_somebody_is_told_when_the_state_changes_and_only_then() -> None:
    values = [O, O, X, X, X, X, X, O, X]
    changes = play([HIGH], [], published(values), 0, 60 * len(values))
    assert told(changes) == [(1, "OK", ("all-clear",)), (5, "ALARM", ("pager",)), (8, "OK", ("all-clear",))]
    silent = {**HIGH, "ActionsEnabled": False}
    assert [change.topics for change in play([silent], [], published(values), 0, 540)] == [(), (), ()]


def test_a_dead_service_publishes_nothing() -> None:
    values = [O, O, O, NONE, NONE, NONE, NONE, NONE, NONE]
    for treatment, wanted in (
        ("breaching", "ALARM"),
        ("notBreaching", "OK"),
        ("missing", "INSUFFICIENT_DATA"),
    ):
        changes = play([{**HIGH, "TreatMissingData": treatment}], [], published(values), 0, 540)
        assert changes[-1].after == wanted


def test_statistics_of_a_period() -> None:
    samples = Samples(np.arange(100.0), np.arange(1.0, 101.0), np.ones(100))
    for name, wanted in (("Sum", 5050), ("Average", 50.5), ("Minimum", 1), ("Maximum", 100), ("SampleCount", 100),
                         ("p50", 50), ("p99", 99), ("p100", 100)):  # fmt: skip
        assert samples.statistic(name, 0, 100, 1)[0] == pytest.approx(wanted)
    with pytest.raises(NotEvaluated):
        samples.statistic("TM(10%:90%)", 0, 100, 1)


def test_a_long_stream_is_judged_as_each_of_its_moments() -> None:
    drawn = np.random.default_rng(5)
    for n, m in ((1, 1), (3, 2), (5, 5), (24, 20)):
        share = drawn.random(3 * 60)
        values = np.where(drawn.random(share.size) < np.repeat(drawn.random(3), 60), np.nan, share * 10)
        for treatment in TREATMENTS:
            about = {**HIGH, "EvaluationPeriods": n, "DatapointsToAlarm": m, "TreatMissingData": treatment}
            padded = [NONE] * (n + 1) + list(values)
            state, wanted = "INSUFFICIENT_DATA", []
            for place in range(values.size):
                after = next_state(about, padded[place : place + n + 2], state)
                if after != state:
                    wanted.append((place + 1, after))
                state = after
            changes = play([about], [], published(list(values)), 0, 60 * values.size)
            assert [(change.at / 60, change.after) for change in changes] == wanted


def test_statistics_of_many_periods() -> None:
    drawn = np.random.default_rng(6)
    times = np.sort(drawn.integers(0, 50 * 60, 400)).astype(float)
    times = times[(times < 600) | (times >= 1200)]
    values, counts = drawn.random(times.size), drawn.integers(1, 5, times.size).astype(float)
    samples = Samples(times, values, counts)
    for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount", "p99", "p50", "p12.5"):
        got = samples.statistic(name, 0, 60, 50)
        for place in range(50):
            mine = (times >= place * 60) & (times < place * 60 + 60)
            alone = Samples(times[mine], values[mine], counts[mine]).statistic(name, place * 60, 60, 1)
            assert got[place] == pytest.approx(alone[0], nan_ok=True), name
            if name.startswith("p") and mine.any():
                repeated = np.sort(np.repeat(values[mine], counts[mine].astype(int)))
                rank = int(np.ceil(float(name[1:]) / 100 * repeated.size - 1e-9))
                assert got[place] == repeated[max(rank, 1) - 1]


MATH = [
    ("100 * errors / requests", [10.0, NONE, NONE]),
    ("IF(requests > 0, errors / requests, 0)", [0.1, 0.0, NONE]),
    ("FILL(errors, 0)", [1.0, 0.0, 0.0]),
    ("FILL(requests, REPEAT)", [10.0, 0.0, 0.0]),
    ("MAX([errors, requests])", [10.0, 0.0, NONE]),
    ("errors > 0 && requests > 5", [1.0, NONE, NONE]),
    ("errors > 0 AND requests > 5", [1.0, NONE, NONE]),
    ("IF(requests >= 0 AND FILL(errors, -1) < 0, 1, 0)", [0.0, 1.0, NONE]),
    ("requests / PERIOD(requests)", [10 / 60, 0.0, NONE]),
    ("2^3 + errors - requests", [-1.0, NONE, NONE]),
]


@pytest.mark.parametrize(("expression", "wanted"), MATH)
def test_metric_math(expression: str, wanted: list[float]) -> None:
    series = {"errors": np.array([1.0, NONE, NONE]), "requests": np.array([10.0, 0.0, NONE])}
    got = evaluate(expression, series, 60)
    assert got == pytest.approx(np.array(wanted), nan_ok=True)


@pytest.mark.parametrize(
    "bad",
    [
        "errors +",
        "other",
        "FILL(errors)",
        "1 / 0",
        "9 ^ 9999",
        "ANOMALY_DETECTION_BAND(errors)",
        "RUNNING_SUM(errors)",
        "__import__('os')",
        "errors.x",
    ],
)
def test_what_is_no_expression_is_refused(bad: str) -> None:
    with pytest.raises(BadExpression):
        evaluate(bad, {"errors": np.array([1.0])}, 60)


def test_an_alarm_on_an_expression() -> None:
    stat = {"Stat": "Sum", "Period": 60}
    queries = [
        {
            "Id": "e",
            "MetricStat": {**stat, "Metric": {"Namespace": "Fraud", "MetricName": "errors"}},
            "ReturnData": False,
        },
        {
            "Id": "r",
            "MetricStat": {**stat, "Metric": {"Namespace": "Fraud", "MetricName": "requests"}},
            "ReturnData": False,
        },
        {"Id": "rate", "Expression": "100 * e / r", "ReturnData": True},
    ]
    about = {**HIGH, "MetricName": None, "Metrics": queries, "EvaluationPeriods": 1}
    both = published([1, 9, 1], "errors") | published([100, 100, 100], "requests")
    assert told(play([about], [], both, 0, 180))[1:] == [(2, "ALARM", ("pager",)), (3, "OK", ("all-clear",))]


def test_a_composite_alarm_waits_for_both() -> None:
    errors = {
        **HIGH,
        "AlarmName": "errors",
        "MetricName": "errors",
        "EvaluationPeriods": 1,
        "AlarmActions": [],
    }
    slow = {**errors, "AlarmName": "slow", "MetricName": "p99"}
    page = {
        "AlarmName": "page",
        "AlarmRule": 'ALARM("errors") AND NOT (OK(slow) OR FALSE)',
        "AlarmActions": ["pager"],
    }
    both = published([O, X, X, O], "errors") | published([O, O, X, X])
    changes = [change for change in play([errors, slow], [page], both, 0, 240) if change.alarm == "page"]
    assert told(changes) == [(1, "OK", ()), (3, "ALARM", ("pager",)), (4, "OK", ())]


@pytest.mark.parametrize("rule", ["ALARM(", "ALARM(a) ALARM(b)", "MAYBE(a)", "(ALARM(a)", ""])
def test_no_rule(rule: str) -> None:
    with pytest.raises(NotEvaluated):
        play([], [{"AlarmName": "page", "AlarmRule": rule}], {}, 0, 60)


def test_what_cannot_be_judged_is_refused() -> None:
    band = {**HIGH, "ComparisonOperator": "GreaterThanUpperThreshold", "ThresholdMetricId": "band"}
    with pytest.raises(NotEvaluated):
        play([band], [], {}, 0, 60)
