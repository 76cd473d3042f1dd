"""Months of `fraud`: what happens in them, drawn from a seed. Minutes are counted from the month's first, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from labs.world import World
from labs.world.calendar import FESTIVALS

HOUR, DAY = 60, 1440  # minutes
IST = 330  # minutes ahead of UTC
BEFORE, JUDGED = 3, 30  # days: the first ones are ordinary, and nobody is judged by them
DAYS = BEFORE + JUDGED
USUAL_VOLUME = 100_000  # payments a day
CLEARLY_BUSY = 40.0  # requests a minute: twice the guard of the contract
CLEARLY_QUIET = 10.0  # half of it
GUARD = 20  # requests a minute: below, a share or a percentile means nothing
BUSY_ENOUGH_FOR_P98 = 60.0  # requests a minute: a p98 that is fine hides one slow request in these
JUST = "just above the limit"
FULL = f"{GUARD - 1} requests a minute"
RARE = "little more than 1 % of the answers"
STOPS = ("Errors", "Latency")
REPLICAS = ("fraud-0", "fraud-1", "fraud-2", "fraud-3")


@dataclass(frozen=True)
class Event:
    """Something that happens from minute `start` to minute `end`. `severity` is a share; `what` says more."""

    kind: str
    start: int
    end: int
    severity: float = 0.0
    what: str = ""

    @property
    def minutes(self) -> slice:
        return slice(self.start, self.end)


@dataclass(frozen=True)
class Month:
    """`expected` is the traffic of each minute, in requests, were nothing to happen."""

    first_day: date
    expected: np.ndarray
    events: tuple[Event, ...]

    @property
    def start(self) -> float:
        """Seconds since 1970."""
        return datetime.combine(self.first_day, datetime.min.time(), UTC).timestamp()

    @property
    def judged_from(self) -> int:
        return BEFORE * DAY

    def of(self, *kinds: str) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]

    def when(self, minute: float) -> str:
        """`Sun 08 Nov 03:12 IST`."""
        moment = datetime.fromtimestamp(self.start, UTC) + timedelta(minutes=minute + IST)
        return moment.strftime("%a %d %b %H:%M IST")


def ist_hour(minute: np.ndarray) -> np.ndarray:
    return (np.asarray(minute) + IST) % DAY / HOUR


def quiet_month(rng: np.random.Generator) -> Month:
    """Nothing that anybody must be told: Diwali, salary days, quiet nights, deployments, spikes, costs as usual."""
    diwali = date.fromisoformat(str(rng.choice(FESTIVALS["Diwali"][1:])))
    first_day = diwali - timedelta(days=int(rng.integers(BEFORE + 8, 20)))
    world, expected = _traffic(rng, first_day)
    special = {day for day in range(DAYS) if _is_special(world, day)}
    draw = Drawing(rng, expected, [day for day in range(BEFORE + 1, DAYS - 1) if day not in special])
    events = [Event("festival", *_day_in_india(day)) for day in sorted(special) if day >= BEFORE]
    at_night = (("errors at night", 0.3, FULL), ("slow at night", 0.15, FULL), ("errors at night", 0.2, ""))
    for kind, severity, what in at_night:
        events.append(draw.at_night(kind, 25, severity, what))
    for _ in range(2):
        events.append(draw.at_night("no payments", 75, 0.0))
    events += [draw.by_day("spike", 1, severity) for severity in (0.6, 0.9)]
    events += [draw.by_day("slow spike", 2, 0.3)]
    events += [draw.by_day("deployment", 7, severity) for severity in (0.1, 0.15, 0.12)]
    events += [draw.night_of("late job") for _ in range(3)]
    return Month(first_day, expected, tuple(events))


def bad_month(rng: np.random.Generator) -> Month:
    """A month without a festival in which everything breaks that can, on days of its own."""
    first_day = date(int(rng.integers(2026, 2030)), 5, 1) + timedelta(days=int(rng.integers(0, 50)))
    _, expected = _traffic(rng, first_day)
    draw = Drawing(rng, expected, list(range(BEFORE + 1, DAYS - 2)))
    runaway = int(rng.integers(BEFORE + 6, DAYS - 6)) * DAY + int(rng.integers(0, 24)) * HOUR
    dead_job = draw.two_nights_of("dead job")
    replica = str(rng.choice(REPLICAS))
    lengths = rng.integers(40, 90, 6).tolist()
    slow = zip(lengths[3:], ("", "", JUST), strict=True)
    events = [
        dead_job,
        draw.by_day("slow burn", 600, float(rng.uniform(0.012, 0.018)), between=(8.5, 10.0)),
        draw.by_day("flapping", 240, float(rng.uniform(0.09, 0.12)), between=(10.0, 17.0)),
        (stops := draw.by_day("metric stops", 360, what=str(rng.choice(STOPS)), between=(9.0, 14.0))),
        *(draw.by_day("outage", int(length) // 2, float(rng.uniform(0.5, 0.9))) for length in lengths[:2]),
        draw.by_day("errors", lengths[2], float(rng.uniform(0.12, 0.16)), between=(20.0, 21.5)),
        draw.by_day("errors", lengths[3], float(rng.uniform(0.12, 0.15)), what=replica),
        draw.at_the_edge("errors", lengths[4], float(rng.uniform(0.12, 0.16))),
        *(draw.by_day("slow", int(length), float(rng.uniform(0.05, 0.08)), what) for length, what in slow),
        draw.by_day("dead", 45),
        draw.at_night("dead", 45, 0.0),
        Event("runaway job", runaway, runaway + 3 * DAY, float(rng.uniform(5000, 7000))),
        draw.by_day("metric stops", 360, what=STOPS[stops.what == STOPS[0]], between=(9.0, 14.0)),
        draw.by_day("slow", int(rng.integers(40, 90)), what=RARE, busy=BUSY_ENOUGH_FOR_P98),
    ]
    return Month(first_day, expected, tuple(events))


class Drawing:
    """Draws events so that no two of them share a day of India."""

    def __init__(self, rng: np.random.Generator, expected: np.ndarray, days: list[int]) -> None:
        self.rng, self.expected = rng, expected
        self.days = [int(day) for day in rng.permutation(days)]

    def by_day(
        self,
        kind: str,
        length: int,
        severity: float = 0.0,
        what: str = "",
        between: tuple[float, float] = (8, 21),
        busy: float = CLEARLY_BUSY,
    ) -> Event:
        """At a minute between two hours of India, while at least `busy` requests a minute are expected."""
        day = self.days.pop()
        minutes = np.arange(day * DAY - IST, day * DAY - IST + DAY)
        hours = ist_hour(minutes)
        enough = np.array([self.expected[minute : minute + length].min() >= busy for minute in minutes])
        start = self.rng.choice(minutes[(hours >= between[0]) & (hours < between[1]) & enough])
        return Event(kind, int(start), int(start) + length, severity, what)

    def at_the_edge(self, kind: str, length: int, severity: float) -> Event:
        """In the morning, as soon as there is enough traffic for a rate to mean something."""
        return self.by_day(kind, length, severity, between=(7.5, 9.0))

    def at_night(self, kind: str, length: int, severity: float, what: str = "") -> Event:
        """While there is clearly too little traffic for a rate to mean something."""
        day = self.days.pop()
        minutes = np.arange(day * DAY - IST, day * DAY - IST + 6 * HOUR)
        quiet = np.array(
            [self.expected[minute : minute + length].max() <= CLEARLY_QUIET for minute in minutes]
        )
        if not quiet.any():  # no minute of this night is: the quietest part of it will do
            quiet[np.argmin(np.convolve(self.expected[minutes], np.ones(length), "same")) - length // 2] = (
                True
            )
        start = int(self.rng.choice(minutes[quiet]))
        return Event(kind, start, start + length, severity, what)

    def night_of(self, kind: str) -> Event:
        start = self.days.pop() * DAY - IST
        return Event(kind, start + 2 * HOUR, start + 5 * HOUR)

    def two_nights_of(self, kind: str) -> Event:
        """The job does not succeed on two nights that follow each other."""
        first = next(day for day in self.days if day + 1 in self.days)
        self.days = [day for day in self.days if day not in (first, first + 1)]
        start = first * DAY - IST + 2 * HOUR
        return Event(kind, start, start + 2 * DAY)


def _day_in_india(day: int) -> tuple[int, int]:
    return day * DAY - IST, (day + 1) * DAY - IST


def _is_special(world: World, day: int) -> bool:
    today = world.calendar(day)
    return today.is_salary_day or today.festival is not None


def _traffic(rng: np.random.Generator, first_day: date) -> tuple[World, np.ndarray]:
    """The world's own traffic: the curves of a weekday and of a day off, and what its calendar expects of each day."""
    world = World(int(rng.integers(1, 2**31)), first_day, USUAL_VOLUME)
    curves = {}
    for day in range(7):
        today = world.calendar(day)
        if today.is_weekend not in curves:
            counts = world.telemetry(day)["requests"].to_numpy(dtype=float)
            around = np.concatenate([counts[-15:], counts, counts[:15]])
            smooth = np.convolve(around, np.full(31, 1 / 31), mode="valid")
            curves[today.is_weekend] = smooth / smooth.sum()
    days = [world.calendar(day) for day in range(DAYS + 1)]  # a day begins at 18:30 UTC of the date before
    in_india = np.concatenate([curves[day.is_weekend] * day.expected_volume for day in days])
    return world, in_india[IST : IST + DAYS * DAY]
