"""A night and a day of the feature store: everything that the checks of the online side look at, played once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from drawing import Draw
from driving import Driver, Seen
from labs.checks import Work
from slow_store import DAY, HOUR, MAX_AGE, MINUTE, NIGHTLY, OBJECTIVE, SECOND, STREAM, Asked, Row

GROUP, HALF = 12, 6  # payers


@dataclass
class Played:
    """What was seen at each stop. A step that failed keeps its failure for the check that asks for it."""

    seen: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)

    def __getitem__(self, stop: str) -> Any:
        if stop in self.failed:
            raise self.failed[stop]
        return self.seen[stop]

    def at(self, stop: str, act: Callable[[], Any]) -> None:
        try:
            self.seen[stop] = act()
        except Exception as error:
            self.failed[stop] = error


class Night:
    """The payers of one night, by what happens to them."""

    def __init__(self, work: Work, rng: np.random.Generator) -> None:
        self.draw, self.drive, self.played = Draw(rng), Driver(work), Played()
        kinds = ("plain", "deleted", "half", "gone", "old", "pushed", "orders", "late", "edge")
        self.payers = {kind: self.draw.payers(GROUP) for kind in kinds}
        self.unknown = self.draw.payers(GROUP)
        self.night = self.draw.night
        self.morning = self.night + HOUR  # the nightly run of `materialize`
        self.now = self.morning + 10 * MINUTE

    def play(self, without: tuple[str, ...] = ()) -> Played:
        self._begin()
        for stop, act in (
            ("pushed", self._pushed),
            ("orders", self._orders),
            ("pushed in training", self._pushed_in_training),
            ("late", self._late),
            ("again", self._again),
            ("fresh", self._fresh),
            ("long gone", self._long_gone),
            ("edges", self._edges),
            ("long deleted", self._long_deleted),
            ("exact", self._exact),
            ("dead job", self._dead_job),
        ):
            if stop not in without:
                self.played.at(stop, act)
        return self.played

    def ask(self, kinds: tuple[str, ...], now: int, case: str = "") -> list[Asked]:
        return [Asked(payer, now, self.draw.amount(), case) for kind in kinds for payer in self.payers[kind]]

    def _begin(self) -> None:
        """The first night. Nothing here may fail: every check of the online side starts from it."""
        draw, drive = self.draw, self.drive
        drive.apply()
        before = self.ask(("plain",), self.night - HOUR, "a payer, before any row came")
        self.played.at("empty", lambda: (drive.online(before), drive.freshness(self.night - HOUR)))
        ages = {"late": DAY, "old": 3 * DAY}
        nightly = [
            draw.nightly(payer, self.night - ages.get(kind, 0))
            for kind in self.payers
            for payer in self.payers[kind]
        ]
        nightly += [draw.nightly(one, self.night + MINUTE, deleted=True) for one in self.payers["deleted"]]
        unknown_yet = self.payers["plain"][HALF:]  # their next row is not known when the run begins
        nightly += [
            draw.nightly(one, self.night + 2 * MINUTE, self.morning + 2 * MINUTE) for one in unknown_yet
        ]
        drive.ingest(draw.shuffled([*nightly, *self._stream_of_the_history()]))
        drive.materialize(self.morning)
        drive.push(draw.shuffled(self._stream_to_push()))
        drive.push(
            [draw.stream(one, self.morning + 5 * MINUTE, deleted=True) for one in self.payers["gone"][HALF:]]
        )
        drive.restart()
        known = self.ask(("plain", "edge", "pushed"), self.now, "a payer with rows in both views")
        known += [replace(one, amount=one.amount + 100) for one in known[:3]]
        odd = self.ask(("deleted",), self.now, "a payer whose nightly row says deleted")
        odd += self.ask(("half",), self.now, "a payer without a row of the stream")
        odd += self.ask(("gone",), self.now, "a payer whose row of the stream says deleted")
        odd += [Asked(payer, self.now, draw.amount(), "a payer whom nobody knows") for payer in self.unknown]
        self.played.seen["known"] = drive.online(draw.shuffled(known))
        self.played.at("odd", lambda: drive.online(draw.shuffled(odd)))

    def _stream_of_the_history(self) -> list[Row]:
        """Rows of the stream that no push brings: `materialize` must. Some say deleted."""
        draw, gone = self.draw, self.payers["gone"][:HALF]
        rows = [draw.stream(one, self.morning - 9 * MINUTE) for one in (*self.payers["plain"][:HALF], *gone)]
        return rows + [draw.stream(one, self.morning - 5 * MINUTE, deleted=True) for one in gone]

    def _stream_to_push(self) -> list[Row]:
        kinds = {
            **self.payers,
            "plain": self.payers["plain"][HALF:],
            "gone": self.payers["gone"][HALF:],
            "half": [],
        }
        payers = [one for kind in kinds.values() for one in kind]
        return [self.draw.stream(one, self.morning + self.draw.seconds(0, 4 * MINUTE)) for one in payers]

    def _pushed(self) -> Seen:
        now = self.now + MINUTE
        self.drive.push(
            [self.draw.stream(one, now - 20 * SECOND, now - 5 * SECOND) for one in self.payers["pushed"]]
        )
        return self.drive.online(self.ask(("pushed",), now, "a payer with a new push"))

    def _pushed_in_training(self) -> Seen:
        """All that was pushed is history: also what came too late to be online."""
        asked = self.ask(("pushed",), self.now + MINUTE, "a payer with a new push")
        asked += self.ask(("pushed",), self.now, "the same payer, before that push")
        event = self.now + 2 * MINUTE  # see _orders
        for moment in (event - 30 * SECOND, event + 20 * SECOND, event + 35 * SECOND, event + 3 * MINUTE):
            asked += self.ask(("orders",), moment, "a payer whose pushes came in the wrong order")
        return self.drive.train(asked)

    def _orders(self) -> Seen:
        """Pushes that come too late, in one batch out of order, and as corrections of the same second."""
        draw, drive, now = self.draw, self.drive, self.now + 5 * MINUTE
        event = self.now + 2 * MINUTE
        newest, delivered, earlier, batch, corrected, repeated = (
            self.payers["orders"][two : two + 2] for two in range(0, GROUP, 2)
        )
        cases = {}
        for payers, case, steps in (
            (newest, "a push of an older event came last", ((0, 9), (-60, 20))),
            (delivered, "a push of an older event was delivered last", ((0, 9), (-60, -50))),
            (earlier, "an older correction of the same second came last", ((0, 40), (0, 10))),
            (corrected, "a newer correction of the same second came last", ((0, 10), (0, 40))),
            (repeated, "a newer event came last", ((0, 10), (30, 40))),
        ):
            for number, (ahead, known) in enumerate(steps):
                rows = [draw.stream(one, event + ahead * SECOND, event + known * SECOND) for one in payers]
                cases.setdefault(number, []).extend(rows)
                cases.update(dict.fromkeys(payers, case))
        drive.push(cases[0])
        drive.push(cases[1])
        rows = [
            draw.stream(one, event + step * SECOND, event + 40 * SECOND)
            for step in (10, 30, 20)
            for one in batch
        ]
        drive.push(rows)
        cases.update(dict.fromkeys(batch, "the newest row was in the middle of a batch"))
        return drive.online([Asked(one, now, draw.amount(), cases[one]) for one in self.payers["orders"]])

    def _late(self) -> list[Seen]:
        """Nightly rows that reach the history after the run for their night has ended."""
        draw, drive, payers = self.draw, self.drive, self.payers["late"]
        created = self.morning + 3 * HOUR
        rows = [draw.nightly(one, self.night, created) for one in payers[:HALF]]
        rows += [draw.nightly(one, self.night - 2 * DAY, created) for one in payers[HALF:]]
        rows += [draw.stream(one, created + 20 * MINUTE) for one in payers]
        drive.ingest(draw.shuffled(rows))
        end = created + 30 * MINUTE
        before = drive.online(
            self.ask(("late",), end - MINUTE, "a late row is in the history, and not materialized yet")
        )
        drive.materialize(end)
        asked = self.ask(("late",), end, "a row came after the run for its night")
        older = [replace(one, case="a row came that is older than what is online") for one in asked[HALF:]]
        return [before, drive.online([*asked[:HALF], *older])]

    def _again(self) -> tuple[Seen, Seen]:
        """The same run again, then an older one: neither may change a value."""
        drive, now = self.drive, self.morning + 4 * HOUR
        drive.materialize(now)
        first = drive.online(self.ask(tuple(self.payers), now, "the same run a second time"))
        drive.materialize(self.morning)
        return first, drive.online(self.ask(tuple(self.payers), now, "an older run after a newer one"))

    def _fresh(self) -> list[tuple]:
        """Freshness while the job is healthy and the stream slows down for a few payers, then for many."""
        draw, drive, start = self.draw, self.drive, self.morning + 5 * HOUR
        looks = []
        kinds = [one for kind in self.payers if kind not in ("half", "gone") for one in self.payers[kind]]
        for slow in (0, 2, 9):
            behind = draw.shuffled(kinds)[:slow]
            if behind:
                drive.push([draw.stream(one, start + draw.seconds(0, MINUTE)) for one in behind])
            rest = [one for one in kinds if one not in behind]
            drive.push([draw.stream(one, start + 30 * MINUTE + draw.seconds(0, MINUTE)) for one in rest])
            looks.append(drive.freshness(start + 40 * MINUTE + draw.micros()))
            start += HOUR
        looks.append(drive.freshness(start + 20 * MINUTE))
        return looks

    def _edges(self) -> list[Seen]:
        """The last microsecond in which a value may be served, and the first in which it may not."""
        looks = [
            self.drive.online(self.ask(("old",), self.morning + 9 * HOUR, "a nightly row of three days ago"))
        ]
        for view in (STREAM, NIGHTLY):
            last = self._newest(view) + MAX_AGE[view]
            if view == NIGHTLY:  # so that only one view is at its limit
                self.drive.push([self.draw.stream(one, last - MINUTE) for one in self.payers["edge"]])
            for extra, case in (
                (0, "exactly at the greatest age"),
                (1, "one microsecond past the greatest age"),
            ):
                looks.append(self.drive.online(self.ask(("edge",), last + extra, f"{case} of {view}")))
        return looks

    def _newest(self, view: str) -> int:
        """The event time that all payers of the group get in this view, just before the edge is looked at."""
        if view == NIGHTLY:
            return self.night
        event = self.morning + 9 * HOUR
        self.drive.push([self.draw.stream(one, event, event) for one in self.payers["edge"]])
        return event

    def _long_gone(self) -> Seen:
        """A deletion does not grow stale: of the stream,"""
        return self.drive.online(
            self.ask(("gone",), self.morning + 9 * HOUR, "a payer who was deleted long ago")
        )

    def _long_deleted(self) -> Seen:
        """and of the nightly job, while the payer's row of the stream is fresh."""
        now = self.night + 2 * DAY + 2 * HOUR
        self.drive.push([self.draw.stream(one, now - MINUTE) for one in self.payers["deleted"]])
        return self.drive.online(self.ask(("deleted",), now, "a payer who was deleted long ago"))

    def _exact(self) -> list[tuple]:
        """All rows of a view have one event time: freshness at each limit, and one microsecond later."""
        draw, drive = self.draw, self.drive
        event = {NIGHTLY: self.night + 2 * DAY + 4 * HOUR, STREAM: self.night + 2 * DAY + 6 * HOUR}
        everybody = [one for payers in self.payers.values() for one in payers]
        drive.ingest([draw.nightly(one, event[NIGHTLY]) for one in everybody])
        drive.materialize(event[NIGHTLY] + HOUR)
        drive.push([draw.stream(one, event[STREAM]) for one in everybody])
        limits = [event[view] + limit[view] for limit in (OBJECTIVE, MAX_AGE) for view in (STREAM, NIGHTLY)]
        return [drive.freshness(limit + extra) for limit in limits for extra in (0, 1)]

    def _dead_job(self) -> list[tuple]:
        """Three nights: the job works, then it writes the old picture once more, then it writes nothing."""
        draw, drive, looks = self.draw, self.drive, []
        everybody = [one for payers in self.payers.values() for one in payers]
        good = self.night + 5 * DAY
        rows = [draw.nightly(one, good) for one in everybody]
        copies: list[Row] = [replace(row, created=row.created + DAY) for row in rows]
        for number, written in enumerate((rows, copies, [])):
            if written:
                drive.ingest(draw.shuffled(written))
            drive.materialize(good + number * DAY + HOUR)
            looks.append(drive.freshness(good + number * DAY + 7 * HOUR))
        return looks
