"""Whether alarms look at metrics that exist; and then what they say of two months."""

from __future__ import annotations

from typing import Any

import numpy as np

from judging import Seen, at_rest
from labs.services.aws.alarms import NotEvaluated, metric
from months import DAY, Event, bad_month, quiet_month
from paging import Message, Replay, replay
from streams import UNITS, Streams


def watch(seen: Seen, seed: int) -> None:
    """Fails unless every metric of every alarm is published; keeps the replays."""
    months = [
        make(np.random.default_rng([seed, place])) for place, make in enumerate((quiet_month, bad_month))
    ]
    streams = [Streams(month, seed) for month in months]
    own, done = seen.first.own, seen.looked_at("look at the alarms")
    for alarm in own.alarms:
        done.require("Threshold" in alarm, wanted=f"{alarm['AlarmName']} with a Threshold", got="none")
        for each in _metrics_of(alarm):
            about = each.get("Metric", each)
            listed = about.get("Dimensions") or []
            done.require(
                metric(about.get("Namespace", ""), about.get("MetricName", ""), listed) in streams[0].makers,
                wanted=f"{alarm['AlarmName']} about a metric of the contract",
                got=f"{about.get('Namespace')} {about.get('MetricName')} {_spoken(listed)}: nobody publishes this",
                hint="To CloudWatch, other dimensions are another metric. An alarm without data is silent for ever.",
            )
            unit = UNITS[about["MetricName"]]
            done.require(
                each.get("Unit") in (None, unit),
                wanted=f"{alarm['AlarmName']} in the unit {unit}, or without one",
                got=f"the unit {each.get('Unit')}: nobody publishes this metric in it",
                hint="An alarm with a unit looks only at data that were published in it. It converts nothing.",
            )
    try:
        seen.quiet, seen.bad = (replay(own.alarms, own.composites, one) for one in streams)
    except NotEvaluated as error:
        done.fail(
            wanted="alarms that this lab can judge",
            got=f"cannot be judged: {error}",
            hint="The contract names what cannot be judged here.",
        )


def _metrics_of(alarm: Any) -> list[Any]:
    queries = [one["MetricStat"] for one in alarm.get("Metrics") or () if "MetricStat" in one]
    return [alarm, *queries] if alarm.get("MetricName") else queries


def _spoken(dimensions: list[dict[str, str]]) -> str:
    listed = ", ".join(f"{one['Name']}={one['Value']}" for one in dimensions)
    return f"with {listed}" if listed else "without dimensions"


def nothing_else(seen: Seen) -> None:
    """No alert that belongs to none of the events of the two months."""
    for each in (seen.quiet, seen.bad):
        for alert in each.alerts(0, float("inf")):
            seen.looked_at(f"replay: {each.month.when(alert.minute)}, an ordinary time").require(
                any(_belongs(each, alert, event) for event in each.month.events),
                wanted="no message",
                got=f"{alert.alarm} tells `{alert.topic}`: {alert.state}",
                hint="Replay the month yourself (see Steps), and look at what the alarm saw.",
            )


def _belongs(replayed: Replay, alert: Message, event: Event) -> bool:
    """A job that runs away explains alarms about money and nothing else, as long as its bills come."""
    if event.kind == "runaway job":
        explained = alert.alarm in replayed.about_money
        return explained and event.start <= alert.minute <= event.end + DAY
    return event.start <= alert.minute <= event.end + at_rest(event, alert.topic)
