"""Drives the learner's feature store and the slow one side by side."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from comparing import cells, compare, online_columns
from drawing import IST, clock, entities, frame, moment
from labs.checks import Answer, Work
from slow_store import SERVICES, VIEWS, Asked, Row, SlowStore

FILE, SLOWLY, FRAME = "features.py", "grader_slowly.py", "grader_frame.py"
SLOW = 60  # seconds; only a store that hangs needs them
WAYS = (lambda time: time, lambda time: time.astimezone(IST), lambda time: time.replace(tzinfo=None))
WARNED = re.compile(r"^\S*site-packages\S*:\d+: \w*Warning:.*\n(  .*\n)?", re.MULTILINE)


@dataclass
class Seen:
    """What one look at the learner's store gave, and what the slow store says."""

    answer: Answer
    what: str
    got: list[dict[str, Any]]
    wanted: list[dict[str, Any]]
    asked: Sequence[Asked]

    def expect(self, hint: str = "", names: Sequence[str] = (), chosen: Any = None) -> None:
        given = {"hint": hint} if hint else {}
        compare(
            self.answer, self.what, self.got, self.wanted, self.asked,
            chosen=chosen or (lambda _: True), names=names, **given,
        )  # fmt: skip


@dataclass
class Driver:
    """Every step goes to both stores. Rows of one step may be of both views."""

    work: Work
    slow: SlowStore = field(default_factory=SlowStore)
    next_is_new: bool = False
    ways: Iterator[Callable[[datetime], datetime]] = field(default_factory=lambda: itertools.cycle(WAYS))
    frames: Iterator[str] = field(default_factory=lambda: itertools.cycle(("naive", "UTC", "datetimes")))
    writes: str = FILE  # the file whose functions are called to change something

    def slow_down(self) -> None:
        """From now on what the learner's functions write is looked at before it is whole."""
        self.work.put(SLOWLY, (Path(__file__).parent / SLOWLY).read_text())
        self.writes = SLOWLY

    def apply(self) -> None:
        self._call("apply", file=self.writes)

    def ingest(self, rows: Sequence[Row]) -> None:
        self.slow.ingest(rows)
        for view in VIEWS:
            if mine := [row for row in rows if row.view == view]:
                self._call("ingest", view, frame(mine, next(self.frames)))

    def push(self, rows: Sequence[Row]) -> None:
        self.slow.push(rows)
        self._call("push", frame(rows, next(self.frames)), file=self.writes)

    def materialize(self, end: int) -> None:
        self.slow.materialize(end)
        self._call("materialize", self._time(end), file=self.writes)

    def rollout(self, end: int) -> None:
        self.slow.materialize(end)
        self._call("rollout", self._time(end), file=self.writes)

    def rollback(self) -> None:
        self._call("rollback", file=self.writes)

    def online(self, asked: Sequence[Asked], service: str = "fraud_v1") -> Seen:
        """All are asked at the time of the first."""
        answer = self._call("online", *self._request(asked, service))
        got = cells(answer, online_columns(SERVICES[service]), len(asked))
        return Seen(answer, f"online(…, {service!r})", got, self.slow.online(asked, service), asked)

    def train(self, asked: Sequence[Asked], service: str = "fraud_v1", times: str = "naive") -> Seen:
        given = entities(asked, times)
        answer = self._call("training_set", given, service)
        got = cells(answer, [*given.columns, *SERVICES[service]], len(asked))
        return Seen(answer, f"training_set(…, {service!r})", got, self.slow.trained(asked, service), asked)

    def train_on_a_part(self, asked: Sequence[Asked], before: Seen) -> tuple[Seen, bool]:
        """With a frame whose index is no row number; and whether that frame is as it was afterwards.

        What is wanted is what came `before` for the same rows with a plain index: right or wrong, but the same.
        """
        self.work.put(FRAME, (Path(__file__).parent / FRAME).read_text())
        answer = self._call("train", entities(asked), "fraud_v1", file=FRAME)
        same, answer.value = answer.value["same"], answer.value["answer"]
        answer.did = (
            f"training_set({len(asked)} rows of a bigger frame, so with gaps in the index)  in {FILE}"
        )
        got = cells(answer, [*entities(asked).columns, *SERVICES["fraud_v1"]], len(asked))
        wanted = [{name: row[name] for name in SERVICES["fraud_v1"]} for row in before.got[: len(asked)]]
        return Seen(answer, "training_set(…, 'fraud_v1')", got, wanted, asked), same

    def refused(self, asked: Sequence[Asked], service: str) -> list[Answer]:
        """Both ways of asking for a service that is not there; each may raise."""
        return [
            self._call("online", *self._request(asked, service), may_raise=True),
            self._call("training_set", entities(asked), service, may_raise=True),
        ]

    def freshness(self, now: int) -> tuple[Answer, dict[str, Any]]:
        answer = self._call("freshness", self._time(now))
        answer.did = f"freshness({clock(now)})  in {FILE}"
        return answer, self.slow.freshness(now)

    def restart(self) -> None:
        """The next call comes from a new process: what is kept in memory alone is gone."""
        self.next_is_new = True

    def _request(self, asked: Sequence[Asked], service: str) -> list[Any]:
        now = self._time(asked[0].time)
        return [[one.payer for one in asked], [one.amount for one in asked], now, service]

    def _time(self, time: int) -> datetime:
        """The same moment in UTC, in India, or without a zone, in turn."""
        return next(self.ways)(moment(time))

    def _call(self, name: str, *words: Any, file: str = FILE, may_raise: bool = False) -> Answer:
        fresh, self.next_is_new = self.next_is_new, False
        did = f"{name}({', '.join(_said(word) for word in words)})  in {FILE}"
        target = f"{file}:{name}"
        try:
            answer = self.work.call(target, *words, timeout=SLOW, fresh=fresh, may_raise=may_raise)
        except Exception as error:
            if hasattr(
                error, "finding"
            ):  # the engine shows each argument in full: long, and times unreadable
                error.finding = replace(error.finding, did=did)
                error.output = without_warnings(getattr(error, "output", ""))
            raise
        answer.did, answer.output = did, without_warnings(answer.output)
        return answer


def give_database(store: Any, work: Work, number: int) -> str:
    """Let the learner's processes find a Redis of ours, and in it the database of this number. Returns its address."""
    parts = urlsplit(store.url)
    url = parts._replace(path=f"/{number}").geturl()
    work.reach(parts.port, {"REDIS_URL": url})
    return url


def without_warnings(output: str) -> str:
    """Without what libraries warn about on their own account: it is not what a learner has to mend."""
    return WARNED.sub("", output) or "\n"  # with nothing at all the engine would show all that was printed


def _said(word: Any) -> str:
    if isinstance(word, pd.DataFrame):
        return f"{len(word)} rows"
    if isinstance(word, list):
        return f"[{word[0]}, … {len(word)} of them]" if len(word) > 1 else str(word)
    return str(word) if isinstance(word, datetime) else repr(word)
