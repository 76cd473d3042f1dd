"""One learner's nights: runs of the pipeline over a landing folder of ours, with things happening to them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import redis

from labs.checks import Finished, Process, Work
from landing import Delivery
from prefect_records import Records
from published import LAKE

SETTINGS = {
    "ingest": {"retry_delays_seconds": [0.2]},
    "validate": {"max_null_share": 0.02, "min_rows_ratio": 0.5, "max_rows_ratio": 2.0},
    "train": {"window_days": 5},
    "evaluate": {"min_auc": 0.6, "max_auc_drop": 0.3},
    "publish": {"offers_per_payer": 3, "parts": 3},
}
LEASE_KEY = "lease:offers"
PATIENCE = 170.0  # seconds; only what hangs needs them
SAID = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exists|Gate|Held|Missing)\b.*")


class Nights:
    """Runs of `pipeline.py` in one check's sandbox. Every check has a Redis database of its own."""

    def __init__(self, work: Work, prefect: Any, store: Any, database: int) -> None:
        self.work, self.prefect = work, prefect
        self.prefect.give_to(work)
        store.give_to(work)
        self.redis_url = store.variables["REDIS_URL"].rpartition("/")[0] + f"/{database}"
        self.redis = redis.Redis.from_url(self.redis_url)
        self.redis.flushdb()
        self.launcher = work.give("launcher.py", Path(__file__).with_name("launcher.py"))
        self.landing = f"{work.inputs}/landing"
        self.silent = "tasks"
        self.set_up()

    def tell_prefect(self) -> Records:
        """From now on runs tell Prefect of their tasks, as they do outside of a check; what it knows of them."""
        self.silent = ""
        return Records(self.prefect.url, self.landing)

    def set_up(self, **changed: Any) -> None:
        """Write `pipeline.toml`, with these values instead of the usual ones."""
        lines = []
        for table, values in SETTINGS.items():
            lines.append(f"[{table}]")
            lines += [f"{key} = {json.dumps(changed.get(key, value))}" for key, value in values.items()]
        self.work.put("pipeline.toml", "\n".join(lines) + "\n")

    def land(self, *deliveries: Delivery) -> None:
        for one in deliveries:
            one.land(self.work.give)

    def run(self, day: date, lake: str = LAKE, warm: bool = True, **env: str) -> Finished:
        return self.command(("run", "--date", str(day)), lake, warm, **env)

    def start(self, *days: date, lake: str = LAKE, **env: str) -> Process:
        """A run of one day, or a backfill of several, that goes on while the check does."""
        words = ("run", "--date", str(*days)) if len(days) == 1 else ("backfill", "--dates", *map(str, days))
        started = self.work.start(*self._argv(words, lake), env=self._env(lake, env), warm=True)
        started.did = _short(words)
        return started

    def end(self, process: Process) -> Finished:
        finished = process.wait(PATIENCE)
        finished.did = process.did
        return finished

    def command(self, words: Sequence[str], lake: str = LAKE, warm: bool = True, **env: str) -> Finished:
        argv = self._argv(words, lake)
        if not warm:
            env["PYTHONHASHSEED"] = "random"
        finished = self.work.run(*argv, env=self._env(lake, env), timeout=PATIENCE, warm=warm)
        return self._named(finished, words)

    def backfill(self, days: Iterable[date], lake: str = LAKE) -> Finished:
        return self.command(("backfill", "--dates", *map(str, days)), lake)

    def score(self, source: str, target: str) -> Finished:
        words = ("score", "--lake", LAKE, "--input", source, "--output", target)
        env = self._env(LAKE, {})
        finished = self.work.run(
            "python3", self.launcher, "pipeline.py", *words, env=env, timeout=60, warm=True
        )
        return self._named(finished, ("score", "--output", target))

    def effects(self) -> list[str]:
        """What the last run with `EFFECTS` did below the lake, one line each."""
        return self.work.read("effects.txt").text().splitlines()

    def seen_effects(self) -> str:
        """The same while the run goes on; empty if there was none yet."""
        found = self.work.read("effects.txt")
        return found.text() if found.exists else ""

    def free_the_lease(self) -> None:
        self.redis.delete(LEASE_KEY)

    def end_the_lease(self) -> None:
        """Let the time pass that it has left."""
        self.redis.pexpire(LEASE_KEY, 1)
        time.sleep(0.05)

    def lease_is_gone(self, finished: Finished) -> None:
        finished.require(
            not self.redis.exists(LEASE_KEY),
            wanted=f"no lease after a run that ended with {finished.status}",
            got="it is still there",
            hint="Release it in a `finally`, or at the end of a `with` block.",
        )

    def changes_nothing(self, finished: Finished, lake: str) -> None:
        """Fail if a run without the lease wrote to this lake, or did anything to the lease of another."""
        self.lease_of_another(finished)
        found = [path for path in self.work.files() if path.startswith(f"{lake}/")]
        finished.require(not found, wanted="nothing written to the lake", got=f"{len(found)} files")

    def give_the_lease_to_another(self) -> None:
        self.redis.set(LEASE_KEY, "another run", px=600_000)

    def lease_of_another(self, finished: Finished) -> None:
        """Fail unless the lease is still the one that the check gave to another run, with the time that it had."""
        value, left = self.redis.get(LEASE_KEY), int(self.redis.pttl(LEASE_KEY))
        finished.require(
            value == b"another run" and left > 120_000,
            wanted="the other run's lease, untouched",
            got="another end of its life" if value == b"another run" else "another value, or none",
            hint="Prolong and release only what is yours: compare and act in one step (a Lua script).",
        )

    def lease_ends_within(self, finished: Finished, seconds: int) -> None:
        left = int(self.redis.pttl(LEASE_KEY))
        finished.require(
            0 < left <= 1000 * seconds,
            wanted=f"a key {LEASE_KEY} that ends by itself within LEASE_SECONDS = {seconds}",
            got={-2: "no such key", -1: "a key that never ends"}.get(left, "a key that lives longer"),
            hint="SET key token NX PX milliseconds, in one command.",
        )

    def _argv(self, words: Sequence[str], lake: str) -> tuple[str, ...]:
        return ("python3", self.launcher, "pipeline.py", *words, "--landing", self.landing, "--lake", lake)

    def _env(self, lake: str, env: Mapping[str, str]) -> dict[str, str]:
        quiet = {"PREFECT_LOGGING_LEVEL": "WARNING", "PREFECT_LOGGING_TO_API_ENABLED": "false"}
        quiet |= {"SILENT": self.silent, "WATCHED": lake}
        return {**quiet, "REDIS_URL": self.redis_url, "LEASE_SECONDS": "60", **env}

    def _named(self, finished: Finished, words: Sequence[str]) -> Finished:
        finished.did = _short(words)
        return finished


def _short(words: Sequence[str]) -> str:
    return f"python pipeline.py {' '.join(words)} …"


def expect(finished: Finished, status: int, hint: str = "") -> Finished:
    """Fail unless it ended with this exit status."""
    if finished.status == status:
        return finished
    got = f"exit status {finished.status}" if finished.status >= 0 else f"ended by signal {-finished.status}"
    if finished.killed:
        got = f"stopped by the grader: too much {finished.killed}"
    elif finished.status == 1:
        errors = [line.strip() for line in finished.stderr.splitlines() if SAID.match(line.strip())]
        kind = SAID.match(errors[-1]).group(0).split(":")[0] if errors else ""  # type: ignore[union-attr]
        got += f", {kind}" if kind else ""
    last = _last(finished.stdout or finished.stderr)
    return finished.fail(wanted=f"exit status {status}", got=got, hint=hint, measured=last)


def expect_each(
    finished: Finished, wanted: Mapping[date, int], hints: Mapping[date, str]
) -> list[dict[str, Any]]:
    """The lines of a backfill. Fails unless each date has its status, oldest first, and the exit status is 7."""
    if finished.status not in (0, 7) and not finished.stdout.strip():
        expect(finished, 7)
    said = verdicts(finished)
    by_name = {str(day): day for day in wanted}
    for one in said:
        day = by_name.get(str(one["date"]))
        finished.require(
            day is None or one["status"] == wanted[day],
            wanted=f"status {wanted.get(day)} for {day}",
            got=f"status {one['status']}",
            hint=hints.get(day, ""),
            measured=str(one["reason"])[:300],
        )
    if finished.status not in (0, 7):
        expect(finished, 7)
    finished.require(
        [one["date"] for one in said] == [str(day) for day in sorted(wanted)],
        wanted=f"one line for each of {len(wanted)} dates, oldest first",
        got=f"{len(said)} lines" if len(said) != len(wanted) else "another order",
        hint="A date that fails must not stop those after it.",
    )
    expect(finished, 7, "Some of the dates were not published.")
    return said


def verdicts(finished: Finished) -> list[dict[str, Any]]:
    """The JSON lines of standard output: one for each date."""
    found = []
    for line in finished.stdout.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and {"date", "status", "reason"} <= set(one):
            found.append(one)
    if not found:
        finished.fail(
            wanted='a line {"date": …, "status": …, "reason": …} on standard output',
            got="no such line",
            hint="Print it with json.dumps, one line for each date. Logs belong on standard error.",
        )
    return found


def said_by_one_line(finished: Finished, day: date, status: int) -> None:
    """Fail unless standard output has one line, about this date, with this status."""
    said = [(one["date"], one["status"]) for one in verdicts(finished)]
    finished.require(
        said == [(str(day), status)], wanted=f"one line, with the date and status {status}", got=f"{said}"
    )


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][-300:] if lines else ""
