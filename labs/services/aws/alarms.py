"""What a CloudWatch alarm does over a stream of metrics: its states, and who is told. moto never judges its alarms.

Source: CloudWatch User Guide, "Alarm evaluation" (M out of N), "Configuring how CloudWatch alarms treat missing data"
(with its two tables of examples, which are tests here) and "Combining alarms" (composite alarms).

Simplified, and said here: an alarm is judged at the end of each of its periods, and data arrive at once. CloudWatch
judges every minute, so it can be earlier by less than one period. Where the guide does not say which state follows
(data too few, all of it breaching, none old enough), the state stays as it is. Anomaly detection bands are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from labs.services.aws.alarm_rules import BadRule, rule
from labs.services.aws.metric_math import BadExpression, Series, evaluate

Places = npt.NDArray[np.int64]
OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES, KEEP = (OK, ALARM, INSUFFICIENT), -1  # a verdict is the place of a state, or that it stays as it is
WINDOWS_AT_ONCE = 2_000_000  # values that are judged in one go
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"
MORE_THAN_ASKED = 2  # the guide's examples look at five data points to judge three
COMPARES = {
    "GreaterThanThreshold": np.greater,
    "GreaterThanOrEqualToThreshold": np.greater_equal,
    "LessThanThreshold": np.less,
    "LessThanOrEqualToThreshold": np.less_equal,
}
Description = Mapping[str, Any]  # as `describe_alarms` gives it


class NotEvaluated(Exception):
    """An alarm that cannot be judged here; the message says why."""


@dataclass(frozen=True)
class Samples:
    """What was published to one metric: times in seconds since 1970, in order; values; how often each value came."""

    times: Series
    values: Series
    counts: Series

    def statistic(self, name: str, start: float, period: float, periods: int) -> Series:
        """One value for each of `periods` from `start` on; NaN where nothing was published.

        Raises:
            NotEvaluated: there is no such statistic here.
        """
        result = np.full(periods, np.nan)
        place = np.floor((self.times - start) / period).astype(int)
        inside = (place >= 0) & (place < periods)
        place, values, counts = place[inside], self.values[inside], self.counts[inside]
        if len(place):
            first = np.flatnonzero(np.diff(place, prepend=-1))  # where each period begins that has any
            result[place[first]] = _statistic(name, values, counts, place, first)
        return result


def _statistic(name: str, values: Series, counts: Series, place: Places, first: Places) -> Series:
    """One value for each period with data. `place`: the period of each sample, in order; `first`: where each begins."""
    total: Series = np.add.reduceat(counts, first)
    if name == "SampleCount":
        return total
    if name in ("Sum", "Average"):
        added: Series = np.add.reduceat(values * counts, first)
        return added if name == "Sum" else added / total
    if name in ("Minimum", "Maximum"):
        reduced: Series = (np.minimum if name == "Minimum" else np.maximum).reduceat(values, first)
        return reduced
    if found := re.fullmatch(r"p(\d{1,2}(?:\.\d+)?|100)", name):
        order = np.lexsort((values, place))
        within, sizes = np.cumsum(counts[order]), np.diff(first, append=len(values))
        before = np.repeat(within[first] - counts[order][first], sizes)
        too_few = (within - before) / np.repeat(total, sizes) < float(found.group(1)) / 100 - 1e-12
        rank = np.add.reduceat(too_few.astype(int), first)
        at_rank: Series = values[order][first + np.minimum(rank, sizes - 1)]
        return at_rank
    raise NotEvaluated(f"the statistic {name}")


Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions."""


def metric(namespace: str, name: str, dimensions: Iterable[Mapping[str, str]] = ()) -> Metric:
    return namespace, name, frozenset((each["Name"], each["Value"]) for each in dimensions)


@dataclass(frozen=True)
class Change:
    """An alarm changed its state at `at` (seconds since 1970), and told `topics`."""

    at: float
    alarm: str
    before: str
    after: str
    topics: tuple[str, ...]


@dataclass
class MetricAlarm:
    about: Description
    state: str = INSUFFICIENT

    def __post_init__(self) -> None:
        if self.about["ComparisonOperator"] not in COMPARES:
            raise NotEvaluated(
                f"{self.about['AlarmName']}: {self.about['ComparisonOperator']} (anomaly detection)"
            )
        if self.about.get("EvaluateLowSampleCountPercentile") == "ignore":
            raise NotEvaluated(f"{self.about['AlarmName']}: EvaluateLowSampleCountPercentile=ignore")

    @property
    def period(self) -> int:
        queries = self.about.get("Metrics") or []
        periods = [each["MetricStat"]["Period"] for each in queries if "MetricStat" in each]
        return int(self.about.get("Period") or max(periods, default=0) or 60)

    def values(self, published: Mapping[Metric, Samples], start: float, end: float) -> Series:
        """One value for each period.

        Raises:
            NotEvaluated
        """
        periods = int((end - start) // self.period)
        empty = np.full(periods, np.nan)
        if self.about.get("MetricName"):
            return self._one(self.about, published, start, periods, empty)
        series: dict[str, Series] = {}
        expressions = []
        for query in self.about.get("Metrics") or []:
            if "MetricStat" in query:
                stat = query["MetricStat"]
                series[query["Id"]] = self._one(
                    {**stat["Metric"], "Statistic": stat["Stat"]}, published, start, periods, empty
                )
            else:
                expressions.append(query)
        result = next(
            (
                series[q["Id"]]
                for q in self.about.get("Metrics") or []
                if q.get("ReturnData", True) and q["Id"] in series
            ),
            empty,
        )
        try:
            for query in expressions:
                series[query["Id"]] = evaluate(query["Expression"], series, self.period)
                if query.get("ReturnData", True):
                    result = series[query["Id"]]
        except BadExpression as error:
            raise NotEvaluated(f"{self.about['AlarmName']}: {error}") from error
        return result

    def _one(
        self,
        about: Description,
        published: Mapping[Metric, Samples],
        start: float,
        periods: int,
        empty: Series,
    ) -> Series:
        samples = published.get(
            metric(about["Namespace"], about["MetricName"], about.get("Dimensions") or [])
        )
        statistic = about.get("Statistic") or about.get("ExtendedStatistic") or "Average"
        return empty if samples is None else samples.statistic(statistic, start, self.period, periods)

    def play(self, published: Mapping[Metric, Samples], start: float, end: float) -> Iterator[Change]:
        verdicts = _over_time(self.about, self.values(published, start, end))
        differs = np.flatnonzero(np.diff(verdicts, prepend=KEEP))  # elsewhere nothing can change
        for place in differs.tolist():
            if verdicts[place] == KEEP:
                continue
            if change := _changed(self, STATES[verdicts[place]], start + (place + 1) * self.period):
                yield change


def next_state(about: Description, recent: Sequence[float], state: str) -> str:
    """The state after one evaluation. `recent` is what is looked at: a little more than EvaluationPeriods."""
    verdict = _verdicts(about, np.array([recent], dtype=np.float64))[0]
    return state if verdict == KEEP else STATES[verdict]


def _over_time(about: Description, values: Series) -> Places:
    """The verdict at the end of each period, each over the values up to there."""
    looks_at = int(about["EvaluationPeriods"]) + MORE_THAN_ASKED
    padded = np.concatenate([np.full(looks_at - 1, np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, looks_at)
    rows = max(1, WINDOWS_AT_ONCE // looks_at)
    parts = [_verdicts(about, windows[place : place + rows]) for place in range(0, len(values), rows)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _verdicts(about: Description, windows: npt.NDArray[np.float64]) -> Places:
    """The guide's rules, for each row of `windows`: values, oldest first, NaN for missing ones."""
    n = int(about["EvaluationPeriods"])
    m = int(about.get("DatapointsToAlarm") or n)
    treat = about.get("TreatMissingData") or MISSING
    known = ~np.isnan(windows)
    breaching = known & COMPARES[about["ComparisonOperator"]](windows, float(about["Threshold"]))
    points, bad = known.sum(axis=1), breaching.sum(axis=1)
    from_the_end = np.cumsum(known[:, ::-1], axis=1, dtype=np.int32)[:, ::-1]
    latest = (breaching & (from_the_end <= n)).sum(axis=1)
    if treat in (BREACHING, NOT_BREACHING):
        filled = bad + (n - points if treat == BREACHING else 0)
        short_of_data = np.where(filled >= m, 1, 0)
    else:
        age = windows.shape[1] - known.argmax(axis=1)  # of the oldest known one; the newest is 1 old
        old_enough = (age >= m) & (treat == MISSING)
        short_of_data = np.select(
            [points == 0, bad >= m, bad < points, old_enough],
            [2 if treat == MISSING else KEEP, 1, 0, 1],
            default=KEEP,
        )
    return np.where(points >= n, np.where(latest >= m, 1, 0), short_of_data).astype(np.int64)


@dataclass
class CompositeAlarm:
    about: Description
    state: str = INSUFFICIENT
    wants: Any = field(init=False)

    def __post_init__(self) -> None:
        if self.about.get("ActionsSuppressor"):
            raise NotEvaluated(f"{self.about['AlarmName']}: an ActionsSuppressor")
        try:
            self.wants = rule(self.about["AlarmRule"])
        except BadRule as error:
            raise NotEvaluated(f"{self.about['AlarmName']}: {error}") from error

    def judge(self, states: Mapping[str, str]) -> str:
        return ALARM if self.wants(states) else OK


def play(
    metric_alarms: Iterable[Description], composite_alarms: Iterable[Description],
    published: Mapping[Metric, Samples], start: float, end: float,
) -> list[Change]:  # fmt: skip
    """All changes from `start` to `end`, in order.

    Raises:
        NotEvaluated: one of the alarms cannot be judged.
    """
    changes = [change for each in metric_alarms for change in MetricAlarm(each).play(published, start, end)]
    changes.sort(key=lambda change: (change.at, change.alarm))
    composites = [CompositeAlarm(each) for each in composite_alarms]
    states: dict[str, str] = {}
    result: list[Change] = []
    for place, change in enumerate(changes):
        result.append(change)
        states[change.alarm] = change.after
        if place + 1 < len(changes) and changes[place + 1].at == change.at:
            continue  # what happens at one moment is judged at once
        for _ in composites:  # a composite may be about composites
            for composite in composites:
                name = composite.about["AlarmName"]
                if moved := _changed(composite, composite.judge(states), change.at):
                    result.append(moved)
                states[name] = composite.state
    return result


def _changed(alarm: MetricAlarm | CompositeAlarm, after: str, at: float) -> Change | None:
    before, alarm.state = alarm.state, after
    if before == after:
        return None
    actions = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT: "InsufficientDataActions"}[after]
    told = tuple(alarm.about.get(actions) or ()) if alarm.about.get("ActionsEnabled", True) else ()
    return Change(at, alarm.about["AlarmName"], before, after, told)
