"""Plays a month to alarms, and says who was told what, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.services.aws.alarms import ALARM, INSUFFICIENT, OK, play
from months import DAY, DAYS, Event, Month
from streams import Streams

ALERTS = (ALARM, INSUFFICIENT)
TOPICS = ("oncall", "team", "finance")
Description = Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """At `minute` of the month (a whole one: alarms are judged at the end of their periods), the alarm told a topic."""

    minute: float
    topic: str
    alarm: str
    state: str

    @property
    def is_alert(self) -> bool:
        return self.state in ALERTS


@dataclass(frozen=True)
class Replay:
    month: Month
    streams: Streams
    messages: tuple[Message, ...]

    @property
    def about_money(self) -> set[str]:
        """The alarms that told `finance`."""
        return {one.alarm for one in self.messages if one.topic == "finance"}

    def alerts(self, start: float, end: float, topics: Sequence[str] = TOPICS) -> list[Message]:
        """From `start` to `end`, both included."""
        return [
            one
            for one in self.messages
            if one.is_alert and one.topic in topics and start <= one.minute <= end
        ]

    def over(self, alert: Message) -> float:
        """When the alarm told the same topic that it is OK again; infinity if it never did."""
        later = (
            one.minute
            for one in self.messages
            if (one.topic, one.alarm, one.state) == (alert.topic, alert.alarm, OK)
            and one.minute > alert.minute
        )
        return next(later, float("inf"))


def replay(alarms: Iterable[Description], composites: Iterable[Description], streams: Streams) -> Replay:
    """
    Raises:
        NotEvaluated: an alarm cannot be judged.
    """
    month = streams.month
    changes = play(alarms, composites, streams, month.start, month.start + DAYS * DAY * 60.0)
    messages = (
        Message((change.at - month.start) / 60, topic.rpartition(":")[2], change.alarm, change.after)
        for change in changes
        for topic in dict.fromkeys(change.topics)
    )
    return Replay(month, streams, tuple(one for one in messages if one.minute >= month.judged_from))


def in_words(month: Month, event: Event) -> str:
    """`outage from Sun 11 Jun 20:17 IST to 20:39`."""
    start, end = month.when(event.start), month.when(event.end)
    end = end.removesuffix(" IST")
    return f"{event.kind} from {start} to {end[-5:] if event.end - event.start < DAY else end}"
