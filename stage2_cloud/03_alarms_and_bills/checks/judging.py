"""Judges a replay in the words of the contract. Each function fails the check that calls it, or returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aws_account import Snapshot
from labs.checks import Finished
from months import DAY, HOUR, IST, Event
from paging import TOPICS, Message, Replay, in_words

AFTER = 30  # minutes: what comes so long after the end of an event still belongs to it
# The same for `team`, where it is longer: windows of hours still see the burned budget, and nobody gets up for it.
AT_REST = {"outage": 3 * HOUR, "errors": 3 * HOUR, "flapping": 3 * HOUR, "slow burn": 150, "metric stops": 60}


@dataclass
class Seen:
    """What three runs of `apply` left in the account, and what its alarms said in two months."""

    done: Finished
    before: dict[str, Any]
    after: dict[str, Any]
    inboxes: dict[str, str]
    first: Snapshot
    again: Finished
    second: Snapshot
    later: Finished
    third: Snapshot
    quiet: Replay | None = None
    bad: Replay | None = None

    @property
    def incidents(self) -> Replay:
        """The bad month without the alarms about money, which may go off at any time of it."""
        money = self.bad.about_money
        return replace(self.bad, messages=tuple(one for one in self.bad.messages if one.alarm not in money))

    def looked_at(self, what: str) -> Finished:
        return replace(self.done, did=what)

    def replayed(self, event: Event) -> Finished:
        return self.looked_at(f"replay: {in_words(self.bad.month, event)}")


def at_rest(event: Event, topic: str) -> int:
    """So many minutes after the event's end a message to `topic` still belongs to it."""
    return AT_REST.get(event.kind, AFTER) if topic == "team" else AFTER


def is_told(seen: Seen, replay: Replay, event: Event, topic: str, within: int, hint: str) -> Message:
    """The first alert to `topic`, which must come within so many minutes of the event's start."""
    alerts = replay.alerts(event.start, event.start + within, [topic])
    late = replay.alerts(event.start + within, event.end + at_rest(event, topic), [topic])
    seen.looked_at(f"replay: {in_words(replay.month, event)}").require(
        bool(alerts),
        wanted=f"a message to `{topic}` within {in_hours(within)}",
        got=_instead(replay, event, topic, within),
        hint=hint,
        measured=f"the next one {in_hours(round(late[0].minute - event.start))} after the start"
        if late
        else "",
    )
    return alerts[0]


def _instead(replay: Replay, event: Event, topic: str, within: int) -> str:
    others = sorted({one.topic for one in replay.alerts(event.start, event.start + within)} - {topic})
    return (
        f"none; there was one to {' and to '.join(f'`{one}`' for one in others)}"
        if others
        else "none to anybody"
    )


def is_not_woken(seen: Seen, replay: Replay, event: Event, hint: str, topics: Sequence[str] = TOPICS) -> None:
    """Nobody of `topics` gets an alert from the event's start until half an hour after its end."""
    alerts = replay.alerts(event.start, event.end + AFTER, topics)
    if alerts:
        first = alerts[0]
        seen.looked_at(f"replay: {in_words(replay.month, event)}").fail(
            wanted="no message"
            if topics == TOPICS
            else f"no message to {' or '.join(f'`{one}`' for one in topics)}",
            got=f"{first.alarm} tells `{first.topic}`: {first.state}",
            hint=hint,
            measured=f"{len(alerts)} such messages, the first at {replay.month.when(first.minute)}",
        )


def at_most(seen: Seen, event: Event, pages: int, after: int, hint: str) -> None:
    """No more than so many pages until so many minutes after the end."""
    alerts = seen.incidents.alerts(event.start, event.end + after, ["oncall"])
    seen.replayed(event).require(
        len(alerts) <= pages,
        wanted="one page" if pages == 1 else f"at most {pages} pages",
        got="more",
        hint=hint,
        measured=f"{len(alerts)} pages, by {', '.join(sorted({one.alarm for one in alerts}))}",
    )


def is_over(seen: Seen, event: Event, alert: Message, within: int, hint: str) -> None:
    """Who got the alert hears that it is OK again, after the event's end, and at most so many minutes after it."""
    over = seen.bad.over(alert)
    early = over < event.end and event.kind == "slow burn"
    seen.replayed(event).require(
        over <= event.end + within and not early,
        wanted=f"{alert.alarm} tells `{alert.topic}` that it is OK again, within {in_hours(within)} after the end",
        got="earlier" if early else "later" if over < float("inf") else "never",
        hint=hint,
    )


def by_nine(event: Event) -> int:
    """Minutes from the start of the first night without the job until 09:00 IST."""
    midnight = (event.start + IST) // DAY * DAY - IST
    return midnight + 9 * HOUR - event.start


def in_hours(minutes: int) -> str:
    return f"{minutes} minutes" if minutes <= 90 else f"{minutes / 60:g} hours"
