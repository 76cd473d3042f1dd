"""Releases version 2, and takes it back, while a reader reads version 1 and the registry without a pause."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from comparing import online_columns, plain
from drawing import Draw, clock, moment
from driving import Driver, Seen, without_warnings
from labs.checks import Answer, Process, Work, close
from slow_store import DAY, HOUR, MERCHANTS, MINUTE, SECOND, SERVICES, STREAM, VIEWS, Asked, Row

PAYERS = 12
READS = 2  # between two steps
PATIENCE = 40  # seconds; only a reader that hangs needs them
FIRST = {"payer_nightly", "payer_stream", "fraud_v1"}  # what the registry always holds


@dataclass
class Release:
    """What the reader saw, all that it may have seen, and the answers at each stop."""

    asked: list[Asked]
    may_see: list[list[dict[str, Any]]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""
    second: dict[str, Seen] = field(default_factory=dict)
    gone: list[Answer] = field(default_factory=list)
    again: list[Seen] = field(default_factory=list)


class Scene:
    """Twelve payers: all have a nightly row, the first nine one of the stream as well."""

    def __init__(self, work: Work, rng: np.random.Generator) -> None:
        self.work, self.draw, self.drive = work, Draw(rng), Driver(work)
        self.payers, self.night = self.draw.payers(PAYERS), self.draw.night
        self.now = self.night + DAY + HOUR + 10 * MINUTE
        asked = [Asked(one, self.now, self.draw.amount(), "") for one in self.payers]
        self.seen = Release(asked)
        self.reader: Process | None = None

    def play(self) -> Release:
        self._begin()
        self._start_reader()
        self.drive.slow_down()
        self._roll_out()
        self._next_night()
        self._roll_back()
        self._end_reader()
        self._again()
        return self.seen

    def _begin(self) -> None:
        draw, drive = self.draw, self.drive
        drive.apply()
        drive.ingest([draw.nightly(one, self.night) for one in self.payers])
        drive.materialize(self.night + HOUR)
        drive.push([draw.stream(one, self.now - 45 * MINUTE) for one in self.payers[:9]])
        self._may_see_this()

    def _roll_out(self) -> None:
        """Rows that no run has brought online yet come first; one of them is not known at `end`."""
        draw, drive, end = self.draw, self.drive, self.now - 20 * MINUTE
        drive.ingest([draw.nightly(one, self.night + 20 * HOUR) for one in self.payers[:5]])
        drive.ingest([draw.stream(one, end - 20 * MINUTE) for one in self.payers[7:]])
        drive.ingest([draw.nightly(self.payers[5], self.night + 21 * HOUR, end + SECOND)])
        drive.rollout(end)
        self._may_see_this()
        self._look("after the rollout", "online")
        drive.apply()
        self._look("after one more apply()", "online")
        past = [replace(one, time=self.night + 2 * HOUR) for one in self.seen.asked]
        self.seen.second["training"] = drive.train(_case(past, "a day before the rollout"), "fraud_v2")
        self.seen.second["version 1"] = drive.online(_case(self.seen.asked, "after the rollout"))

    def _next_night(self) -> None:
        drive = self.drive
        drive.ingest(self._with_merchants(self.payers, self.night + DAY))
        drive.materialize(self.night + DAY + HOUR)
        self._may_see_this()
        drive.push([self.draw.stream(one, self.now - 5 * MINUTE) for one in self.payers[:3]])
        self._may_see_this()
        self._look("after the next night", "online, training")
        self.seen.second["version 1 later"] = drive.online(_case(self.seen.asked, "after the next night"))

    def _roll_back(self) -> None:
        drive = self.drive
        drive.rollback()
        self._await_reads()
        self.seen.gone = drive.refused(self.seen.asked, "fraud_v2")
        self.seen.second["version 1 at last"] = drive.online(_case(self.seen.asked, "after the rollback"))

    def _again(self) -> None:
        """Rows came while there was no version 2; it needs them, and those from before the rollback."""
        drive, asked = self.drive, _case(self.seen.asked, "after the second rollout")
        drive.ingest(self._with_merchants(self.payers[6:], self.night + DAY + 20 * MINUTE))
        drive.rollout(self.now)
        self.seen.again = [drive.online(asked, "fraud_v2"), drive.train(asked, "fraud_v2")]

    def _with_merchants(self, payers: list[int], event: int) -> list[Row]:
        rows = [self.draw.nightly(one, event) for one in payers]
        merchants = self.draw.rng.integers(1, 90, len(rows))
        return [
            replace(row, values={**row.values, MERCHANTS: float(count)})
            for row, count in zip(rows, merchants, strict=True)
        ]

    def _look(self, case: str, ways: str) -> None:
        asked = _case(self.seen.asked, case)
        self.seen.second[case] = self.drive.online(asked, "fraud_v2")
        if "training" in ways:
            self.seen.second[f"{case}, training"] = self.drive.train(asked, "fraud_v2")

    # The reader

    def _may_see_this(self) -> None:
        self.seen.may_see.append(self.drive.slow.online(self.seen.asked))
        if self.reader:
            self._await_reads()

    def _start_reader(self) -> None:
        request = {
            "payer_ids": [one.payer for one in self.seen.asked],
            "amounts_paise": [one.amount for one in self.seen.asked],
            "now": moment(self.now).isoformat(),
            "service": "fraud_v1",
        }
        script = self.work.give("reader.py", Path(__file__).parent / "reader.py")
        words = (
            script,
            self.work.put("grader_request.json", json.dumps(request)),
            "grader_stop",
            "grader_reads",
        )
        self.reader = self.work.start("python3", *words, warm=True)
        self._await_reads()

    def _await_reads(self) -> None:
        """Until the reader has read a few times more."""
        assert self.reader is not None
        deadline, seen = time.monotonic() + PATIENCE, len(_lines(self.reader))
        while len(_lines(self.reader)) < seen + READS:
            if not self.reader.alive or time.monotonic() > deadline:
                Answer(
                    "a process that calls online(…, 'fraud_v1') all the time", output=self.reader.stderr
                ).fail(
                    wanted="an answer, again and again",
                    got="it ended" if not self.reader.alive else "no more answers",
                    hint="It is a process of its own: what it needs must lie in the online store and in `data/`.",
                )
            time.sleep(0.02)

    def _end_reader(self) -> None:
        assert self.reader is not None
        self.work.put("grader_stop", "")
        self.reader.wait(PATIENCE)
        self.seen.lines, self.seen.output = _lines(self.reader), without_warnings(self.reader.stderr)


def bring_out(work: Work, rng: np.random.Generator) -> Release:
    return Scene(work, rng).play()


def judge_reader(found: Release) -> None:
    columns = online_columns(SERVICES["fraud_v1"])
    who = "a process that read fraud_v1 online all the time"
    shown = Answer(f"{who}, at {clock(found.asked[0].time)}", output=found.output)
    file = Answer("a process that read data/registry.db all the time", output=found.output)
    hint = "Add the new beside the old: a reader must not see that anything happens."
    whole = "What does one find who opens a file between its emptying and its filling? Look at how Feast writes it."
    for line in found.lines:
        error = line.get("error", "")
        shown.require(not error, wanted="an answer, always", got="an exception", hint=whole, measured=error)
        there = FIRST & set(line.get("registered", ()))
        file.require(
            there == FIRST,
            wanted=f"{', '.join(sorted(FIRST))}, always",
            got="a file without some of them, or no file",
            hint=whole,
            measured=line.get("registry error", f"without {', '.join(sorted(FIRST - there))}"),
        )
        shown.require(line["columns"] == columns, wanted=", ".join(columns), got="other columns", hint=hint)
        rows = [dict(zip(columns, map(plain, row), strict=False)) for row in line["rows"]]
        shown.require(len(rows) == PAYERS, wanted=f"{PAYERS} rows", got=f"{len(rows)} rows", hint=hint)
        for place, row in enumerate(rows):
            for view in VIEWS:
                shown.require(
                    any(_alike(row, answers[place], view) for answers in found.may_see),
                    wanted=f"what {view} says of a payer as it was before a step of the release, or as it is after it",
                    got="something that is neither: a null, or a part of each",
                    hint=hint,
                )


def _alike(row: dict[str, Any], right: dict[str, Any], view: str) -> bool:
    """Whether all of a view's columns are those of `right`."""
    stream = {"payer_txn_count_24h", *(name for name in right if name.startswith(STREAM))}
    names = stream if view == STREAM else set(right) - stream
    return all(name in row and close(row[name], right[name], 1e-9, 0) for name in names)


def _case(asked: list[Asked], case: str) -> list[Asked]:
    return [replace(one, case=case) for one in asked]


def _lines(reader: Process) -> list[dict[str, Any]]:
    """What it has read so far; the last line may not be whole yet."""
    lines = reader.stdout.split("\n")[:-1]
    return [json.loads(line.removeprefix("READ ")) for line in lines if line.startswith("READ {")]
