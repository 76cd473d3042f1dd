"""Replays a day of Nukkad Pay at the service: payments as they came, then their labels.

    python -m reference_service.traffic --url http://127.0.0.1:8080 --rate 20
    python -m reference_service.traffic --incident stale_features --severity 0.8     # and look at the dashboards

Payments arrive in the world's own rhythm, made faster until `--rate` a second is the mean of a day. It is an open loop:
a slow service does not make its users patient. Labels come by a clock of their own: with `--label-speed 86400` a day of
waiting takes a second, so what is known on the thirtieth day arrives after half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import itertools
import math
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from labs.world import Incident, IncidentKind, World, plan_incidents

DAY_SECONDS = 86_400.0
MOST_WAITING = (
    200  # requests without an answer; more are counted as not sent, or a dead service would fill memory
)
LABEL_BATCH = 500
# What the reference service can show; the other kinds strike a service's own parts.
INCIDENTS = (
    IncidentKind.UNIT_SWITCH,
    IncidentKind.NULL_SPIKE,
    IncidentKind.RENAMED_CATEGORY,
    IncidentKind.STALE_FEATURES,
    IncidentKind.FRAUD_ATTACK,
)
REPORT_SECONDS = 30.0


@dataclass(frozen=True)
class Payment:
    """`gap`: real seconds since the one before. `label_after`: real seconds until its label."""

    body: dict[str, Any]
    gap: float
    ages: dict[str, float]  # seconds, by feature view
    is_fraud: bool
    label_after: float


def payments(world: World, day: int, rate: float, label_speed: float) -> Iterator[Payment]:
    """The payments of one day, in order."""
    frame, labels = world.transactions(day), world.labels(day)
    seconds = frame["event_time"].astype("int64").to_numpy() / 1e6
    gaps = np.diff(seconds, prepend=seconds[0]) * (len(frame) / DAY_SECONDS) / rate
    waits = (labels["labelled_at"] - frame["event_time"]).dt.total_seconds().to_numpy() / label_speed
    midnight = world.calendar(day).start  # the nightly job writes then
    since_midnight = (frame["event_time"] - midnight).dt.total_seconds().to_numpy()
    dropped = ["event_time", "payer_id", "merchant_id", "feature_age_minutes"]
    bodies = frame.drop(columns=dropped).to_dict("records")
    ages = frame["feature_age_minutes"].to_numpy() * 60
    is_fraud = labels["is_fraud"].to_numpy()
    for row, body in enumerate(bodies):
        plain = {name: _plain(value) for name, value in body.items()}
        plain["payer_merchant_is_new"] = bool(plain["payer_merchant_is_new"])
        plain["amount_paise"] = max(plain["amount_paise"], 1)
        views = {"payer_activity": float(ages[row]), "payer_profile": float(since_midnight[row])}
        yield Payment(plain, float(gaps[row]), views, bool(is_fraud[row]), float(waits[row]))


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


def struck(kind: str, severity: float, seed: int, first_day: date) -> tuple[Incident, ...]:
    """One incident of this kind that lasts the whole replay."""
    (planned,) = plan_incidents(seed, first_day, 30, kinds=[IncidentKind(kind)], count=1)
    start = World(first_day=first_day).calendar(0).start
    return (replace(planned, start=start, end=start + timedelta(days=3650), severity=severity),)


class Replay:
    """Sends payments and labels until told to end.

    Args:
        client: its base URL is the service.
        alive: a file that is touched whenever the service answers; for a health check.
    """

    def __init__(self, client: httpx.AsyncClient, alive: Path | None = None) -> None:
        self.client, self.alive = client, alive
        self.answered = self.failed = self.not_sent = self.labelled = 0
        self.last_failure = ""
        self._due: list[tuple[float, int, dict[str, Any]]] = []
        self._order = itertools.count()
        self._touched = 0.0

    async def run(self, stream: Iterator[Payment]) -> None:
        """Send what the stream gives, each in its time, and labels between; ends with the stream and its labels."""
        waiting: set[asyncio.Task[None]] = set()
        labelling = asyncio.create_task(self._label())
        reporting = asyncio.create_task(self._report())
        due = time.monotonic()
        try:
            for payment in stream:
                due += payment.gap
                if (pause := due - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                elif pause < -1:
                    due = time.monotonic()  # this machine cannot go as fast: do not send a flood to catch up
                if len(waiting) >= MOST_WAITING:
                    self.not_sent += 1
                    await asyncio.sleep(0)
                    continue
                task = asyncio.create_task(self._predict(payment))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
            while waiting or self._due:
                await asyncio.sleep(0.05)
        finally:
            for task in (labelling, reporting, *waiting):
                task.cancel()
            await asyncio.gather(labelling, reporting, *waiting, return_exceptions=True)

    async def _predict(self, payment: Payment) -> None:
        now = time.time()
        times = {view: now - age for view, age in payment.ages.items()}
        try:
            reply = await self.client.post("/predict", json={**payment.body, "feature_times": times})
        except httpx.HTTPError as error:
            self._fail(repr(error))
            return
        if reply.status_code != 200:
            self._fail(f"status {reply.status_code}")
            return
        self.answered += 1
        if self.alive and now - self._touched > 5:
            self.alive.touch()
            self._touched = now
        label = {"transaction_id": payment.body["transaction_id"], "is_fraud": payment.is_fraud}
        heapq.heappush(self._due, (time.monotonic() + payment.label_after, next(self._order), label))

    async def _label(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            known = []
            while self._due and self._due[0][0] <= time.monotonic() and len(known) < LABEL_BATCH:
                known.append(heapq.heappop(self._due)[2])
            if not known:
                continue
            try:
                (await self.client.post("/labels", json={"labels": known})).raise_for_status()
                self.labelled += len(known)
            except httpx.HTTPError as error:
                self._fail(repr(error))  # these labels are lost, as labels are when nobody sends them again

    def _fail(self, why: str) -> None:
        self.failed += 1
        self.last_failure = why

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            print(self, flush=True)

    def __str__(self) -> str:
        why = f" (last: {self.last_failure})" if self.last_failure else ""
        return (
            f"answered {self.answered}, failed {self.failed}{why}, not sent {self.not_sent}, "
            f"labels {self.labelled}, labels to come {len(self._due)}"
        )


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="reference_service.traffic", description="Replay Nukkad Pay at a service."
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the service is")
    parser.add_argument("--rate", type=float, default=20.0, help="payments a second, on average")
    parser.add_argument("--seed", type=int, default=7, help="of the world")
    parser.add_argument("--first-day", type=date.fromisoformat, default=date(2026, 1, 1))
    parser.add_argument(
        "--label-speed", type=float, default=DAY_SECONDS, help="world seconds in a real second"
    )
    parser.add_argument("--most", type=int, default=0, help="end after this many payments; 0: never")
    parser.add_argument("--incident", choices=[kind.value for kind in INCIDENTS], help="what goes wrong")
    parser.add_argument("--severity", type=float, default=0.8, help="of the incident, above 0 up to 1")
    parser.add_argument("--alive", type=Path, help="a file to touch whenever the service answers")
    given = parser.parse_args(argv)
    if not (given.rate > 0 and given.label_speed > 0):
        parser.error("--rate and --label-speed must be above 0")
    return given


async def replay(given: argparse.Namespace) -> Replay:
    incidents = struck(given.incident, given.severity, given.seed, given.first_day) if given.incident else ()
    world = World(
        seed=given.seed, first_day=given.first_day, transactions_per_day=20_000, incidents=incidents
    )
    days = (payments(world, day, given.rate, given.label_speed) for day in itertools.count())
    stream: Iterator[Payment] = itertools.chain.from_iterable(days)
    if given.most:
        stream = itertools.islice(stream, given.most)
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    async with httpx.AsyncClient(base_url=given.url, timeout=5.0, limits=limits) as client:
        running = Replay(client, given.alive)
        task = asyncio.create_task(running.run(stream))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error
    return running


def main(argv: list[str]) -> int:
    done = asyncio.run(replay(parsed(argv)))
    print(done, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
