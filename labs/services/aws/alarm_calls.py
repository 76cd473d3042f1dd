"""What moto's CloudWatch lacks or takes too loosely: composite alarms, percentiles, and what AWS refuses.

Source: CloudWatch API Reference, PutMetricAlarm (Period, EvaluationPeriods, AlarmActions), PutCompositeAlarm,
DeleteAlarms, PutMetricData (at most 150 values in one datum, 1,000 data in one request), GetMetricStatistics
(ExtendedStatistics: none of a statistic set, unless it holds one sample or its smallest is its largest).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from labs.services.aws.alarm_rules import NAMES, BadRule, rule

HOUR, DAY, WEEK = 3600, 86_400, 604_800  # seconds
SHORT_PERIODS = (10, 20, 30)
PERCENTILE = re.compile(r"p(\d{1,2}(\.\d+)?|100)")
MOST_ACTIONS, MOST_VALUES, MOST_DATA = 5, 150, 1000
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def complete_moto() -> None:
    """Make moto's CloudWatch answer as AWS does where a learner would notice."""
    from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
    from moto.cloudwatch.models import Alarm
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.core.responses import EmptyResult

    setattr(Alarm, "alarm_rule", property(lambda alarm: alarm.rule))  # noqa: B010  describe_alarms looks for it
    put_metric_alarm, delete_alarms = CloudWatchResponse.put_metric_alarm, CloudWatchResponse.delete_alarms
    put_metric_data = CloudWatchResponse.put_metric_data
    get_metric_statistics = CloudWatchResponse.get_metric_statistics

    def checked_alarm(self: Any) -> Any:
        asked = {name: self._get_param(name) for name in ("Period", "EvaluationPeriods", "Metrics", *ACTIONS)}
        if trouble := trouble_of_alarm(asked):
            raise ValidationError(trouble)
        return put_metric_alarm(self)

    def put_composite_alarm(self: Any) -> Any:
        there = self.cloudwatch_backend.alarms
        name, text = self._get_param("AlarmName"), self._get_param("AlarmRule") or ""
        if trouble := _trouble_of_actions({kind: self._get_param(kind) for kind in ACTIONS}):
            raise ValidationError(trouble)
        if self._get_param("ActionsSuppressor"):
            raise ValidationError("The embedded AWS API does not judge an ActionsSuppressor")
        try:
            rule(text)
        except BadRule as bad:
            raise ValidationError(f"AlarmRule: {bad}") from bad
        if missing := sorted(children(text) - there.keys()):
            listed = ", ".join(missing)
            raise ValidationError(
                f"Could not save the composite alarm as alarms [{listed}] in the alarm rule do not exist"
            )
        if name in there and there[name].rule is None:
            raise ValidationError(f"{name} is a metric alarm already")
        put_metric_alarm(self)
        return EmptyResult()

    def checked_deletion(self: Any) -> Any:
        alarms, names = self.cloudwatch_backend.alarms, set(self._get_param("AlarmNames", []))
        composites = {name: alarm.rule for name, alarm in alarms.items() if alarm.rule is not None}
        if len(names & composites.keys()) > 1:
            raise ValidationError("One request deletes at most one composite alarm")
        for name in sorted(names):
            if any(name in children(text) for other, text in composites.items() if other not in names):
                raise ValidationError(
                    f"Cannot delete {name} as there are composite alarm(s) depending on it."
                )
        return delete_alarms(self)

    def checked_data(self: Any) -> Any:
        data = self._get_param("MetricData", [])
        if len(data) > MOST_DATA or any(len(one.get("Values") or ()) > MOST_VALUES for one in data):
            raise InvalidParameterValue(
                f"MetricData holds at most {MOST_DATA} data, and each of them at most {MOST_VALUES} Values"
            )
        return put_metric_data(self)

    def statistics_with_percentiles(self: Any) -> Any:
        asked = self._get_param("ExtendedStatistics") or []
        if wrong := [name for name in asked if not PERCENTILE.fullmatch(name)]:
            raise InvalidParameterValue(f"The embedded AWS API knows no ExtendedStatistic {wrong[0]}")
        answer: Any = get_metric_statistics(self)
        for point in answer.result["Datapoints"] if asked else ():
            values = sorted(raw_values(point.metric_data))
            point.extended_statistics = {name: percentile(name, values) for name in asked if values}
        return answer

    for name, method in {
        "get_metric_statistics": statistics_with_percentiles,
        "put_metric_alarm": checked_alarm,
        "put_composite_alarm": put_composite_alarm,
        "delete_alarms": checked_deletion,
        "put_metric_data": checked_data,
    }.items():
        setattr(CloudWatchResponse, name, method)


def raw_values(data: Iterable[Any]) -> list[float]:
    """What moto keeps of a period, as single values; [] where a statistic set hides some of them."""
    values: list[float] = []
    for one in data:
        if hasattr(one, "value"):
            values.append(one.value)
        elif one.sample_count == 1 or one.min == one.max:
            values += [one.min] * int(one.sample_count)
        else:
            return []
    return values


def percentile(name: str, values: list[float]) -> float:
    """`p99` of sorted values, of which there is at least one: the smallest that so many percent do not exceed."""
    return values[max(0, math.ceil(float(name[1:]) / 100 * len(values) - 1e-9) - 1)]


def children(text: str) -> set[str]:
    """The names of the alarms in the rule of a composite alarm."""
    return {quoted or bare.rpartition(":")[2] for quoted, bare in NAMES.findall(text)}


def trouble_of_alarm(asked: Mapping[str, Any]) -> str:
    """Why AWS would not take this metric alarm; "" if it would."""
    stats = [one["MetricStat"] for one in asked.get("Metrics") or () if one.get("MetricStat")]
    periods = {int(stat["Period"]) for stat in stats} | (
        {int(asked["Period"])} if asked.get("Period") else set()
    )
    for period in sorted(periods):
        if period not in SHORT_PERIODS and (period < 60 or period % 60):
            return f"Period is {period}: it must be 10, 20, 30 or a multiple of 60"
        whole = period * int(asked.get("EvaluationPeriods") or 1)
        if whole > WEEK or (period < HOUR and whole > DAY):
            return (
                f"EvaluationPeriods x Period is {whole} s: at most {DAY} s for periods below an hour, "
                f"at most {WEEK} s for others"
            )
    returned = [one for one in asked.get("Metrics") or () if one.get("ReturnData") is not False]
    if asked.get("Metrics") and len(returned) != 1:
        return "Exactly one element of the metrics list should return data"
    if len(periods) > 1:
        return "All metrics of one alarm must have the same Period"
    return _trouble_of_actions(asked)


def _trouble_of_actions(asked: Mapping[str, Any]) -> str:
    kinds: Iterable[str] = (kind for kind in ACTIONS if len(asked.get(kind) or ()) > MOST_ACTIONS)
    kind = next(iter(kinds), "")
    return f"{kind} has more than {MOST_ACTIONS} actions" if kind else ""
