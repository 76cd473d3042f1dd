"""What a month publishes: every metric of the contract, as CloudWatch keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from bills import hourly_gpu, hourly_spend
from labs.services.aws.alarms import Metric, Samples, metric
from months import BEFORE, DAY, DAYS, FULL, GUARD, HOUR, IST, JUST, RARE, REPLICAS, Month

# Milliseconds, and the share of requests that takes as long; the last five are what an incident adds to.
LATENCIES = np.array([6, 8, 9, 10, 11, 12, 13, 15, 17, 20, 25, 32, 40, 60, 90, 180, 190, 260, 380, 600.0])
USUAL = np.array(
    [2, 9, 14, 18, 17, 13, 10, 7, 4, 2.3, 1.5, 1.0, 0.6, 0.35, 0.2, 0.015, 0.0, 0.01, 0.005, 0.0]
)


def of_slow(shares: Mapping[float, float]) -> np.ndarray:
    return np.array([shares.get(latency, 0.0) for latency in LATENCIES])


SLOW, JUST_TOO_SLOW = of_slow({180.0: 0.3, 260.0: 0.4, 380.0: 0.3}), of_slow({190.0: 1.0})
TIMED_OUT = of_slow({600.0: 1.0})
RARELY_SLOW = LATENCIES.tolist().index(260)
USUAL_ERRORS, FESTIVAL_ERRORS = 0.0003, 0.0015
BY_SERVICE = [{"Name": "Service", "Value": "fraud"}]
BY_JOB = [*BY_SERVICE, {"Name": "Job", "Value": "nightly-features"}]
FRAUD, COSTS = "Nukkad/Fraud", "Nukkad/Costs"
UNITS = {"Requests": "Count", "Errors": "Count", "Latency": "Milliseconds", "JobSucceeded": "Count",
         "SpendRupees": "None", "SpendYesterdayRupees": "None", "GpuHours": "None"}  # fmt: skip


def by_replica(name: str) -> list[dict[str, str]]:
    return [*BY_SERVICE, {"Name": "Replica", "Value": name}]


class Streams(Mapping[Metric, Samples]):
    """The metrics of one month. What nobody asks for is never made."""

    def __init__(self, month: Month, seed: int) -> None:
        self.month = month
        self.rng = np.random.default_rng([seed, 1])
        self.makers = {metric(FRAUD, "JobSucceeded", BY_JOB): self._job}
        for name in ("Requests", "Errors", "Latency"):
            self.makers[metric(FRAUD, name, BY_SERVICE)] = lambda name=name: self.fleet[name]
            for replica in REPLICAS:
                self.makers[metric(FRAUD, name, by_replica(replica))] = lambda name=name, replica=replica: (
                    self.replicas[replica][name]
                )
        for name, make in (
            ("SpendRupees", self._spend),
            ("GpuHours", self._gpu),
            ("SpendYesterdayRupees", self._yesterday),
        ):
            self.makers[metric(COSTS, name, BY_SERVICE)] = make
        self.made: dict[Metric, Samples] = {}
        self.counts, self.errors, self.there = self._minutes()

    def __getitem__(self, key: Metric) -> Samples:
        if key not in self.made:
            self.made[key] = self.makers[key]()
        return self.made[key]

    def __iter__(self) -> Iterator[Metric]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)

    def _minutes(self) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """How many requests took how long, and how many failed, in each minute; and who published in it."""
        expected, month = self.month.expected.copy(), self.month
        shape = np.tile(USUAL / USUAL.sum(), (len(expected), 1))
        failing = np.full(len(expected), USUAL_ERRORS)
        there = {name: np.ones(len(expected), dtype=bool) for name in ("Requests", "Errors", "Latency")}
        for event in month.events:
            at, share = event.minutes, event.severity
            if event.kind == "festival":
                failing[at] = np.maximum(failing[at], FESTIVAL_ERRORS)
            elif event.kind in ("errors at night", "errors", "slow burn", "spike"):
                failing[at] = share
            elif event.kind in ("slow at night", "slow", "slow spike"):
                slow = JUST_TOO_SLOW if event.what == JUST else SLOW
                shape[at] = shape[at] * (1 - share) + slow * share
            elif event.kind == "outage":
                failing[at] = share
                late = slice(event.start + 3, event.end)
                shape[late] = shape[late] * (1 - share) + TIMED_OUT * share
            elif event.kind == "deployment":  # three bad minutes, and four in which nobody publishes
                failing[event.start : event.start + 3] = share
                shape[event.start : event.start + 3] = (
                    shape[event.start : event.start + 3] * 0.93 + SLOW * 0.07
                )
            elif event.kind == "flapping":
                for minute in _flaps(self.rng, event.start, event.end):
                    failing[minute] = share
            elif event.kind == "no payments":
                expected[at] = 0
            elif event.kind == "metric stops":
                there[event.what][at] = False
            if event.kind == "dead" or event.kind == "deployment":
                gone = slice(event.start + 3 * (event.kind == "deployment"), event.end)
                for published in there.values():
                    published[gone] = False
        counts = self.rng.poisson(expected[:, None] * shape)
        for event in month.events:
            at = event.minutes
            if event.what == FULL:
                counts[at] = self.rng.multinomial(GUARD - 1, shape[at])
            elif event.what == RARE:  # in each minute one request more than a p99 could hide; p98 hides them
                all_of_them = counts[at].sum(axis=1)
                slow = np.minimum(all_of_them, all_of_them // 100 + 1)
                counts[at] = self.rng.multinomial(all_of_them - slow, shape[at])
                counts[at, RARELY_SLOW] += slow
        errors = self.rng.binomial(counts.sum(axis=1), failing)
        return counts, errors, there

    @cached_property
    def fleet(self) -> dict[str, Samples]:
        return self._three(self.counts, self.errors)

    @cached_property
    def replicas(self) -> dict[str, dict[str, Samples]]:
        """A quarter of everything each; but what one replica alone is to blame for is its alone."""
        blamed = {event.what: event for event in self.month.of("errors") if event.what}
        result = {}
        for replica in REPLICAS:
            errors = self.rng.binomial(self.errors, 1 / len(REPLICAS))
            for who, event in blamed.items():
                errors[event.minutes] = self.errors[event.minutes] if who == replica else 0
            result[replica] = self._three(self.rng.binomial(self.counts, 1 / len(REPLICAS)), errors)
        return result

    def _three(self, counts: np.ndarray, errors: np.ndarray) -> dict[str, Samples]:
        times = self.month.start + 60.0 * np.arange(len(errors))
        latency = counts * self.there["Latency"][:, None]
        minute, which = np.nonzero(latency)
        one = np.ones(len(times))
        return {
            "Requests": _kept(times, counts.sum(axis=1).astype(float), one, self.there["Requests"]),
            "Errors": _kept(times, errors.astype(float), one, self.there["Errors"]),
            "Latency": Samples(times[minute], LATENCIES[which], latency[minute, which].astype(float)),
        }

    def heartbeats(self) -> list[int]:
        """The minutes at which the nightly job succeeded."""
        late = {(event.start + IST) // DAY for event in self.month.of("late job")}
        dead = {(event.start + IST) // DAY + more for event in self.month.of("dead job") for more in (0, 1)}
        nights = [night for night in range(1, DAYS + 1) if night not in dead]
        spans = {night: (4 * HOUR - 15, 4 * HOUR + 15) if night in late else (130, 170) for night in nights}
        return [night * DAY - IST + int(self.rng.integers(*spans[night])) for night in nights]

    def _job(self) -> Samples:
        beats = self.month.start + 60.0 * np.array(self.heartbeats())
        return Samples(beats, np.ones(len(beats)), np.ones(len(beats)))

    def _hourly(self, values: np.ndarray) -> Samples:
        return Samples(self.month.start + 3600.0 * np.arange(len(values)), values, np.ones(len(values)))

    @cached_property
    def gpu(self) -> np.ndarray:
        return hourly_gpu(self.month, np.random.default_rng(self.rng.integers(2**31)))

    @cached_property
    def spend(self) -> np.ndarray:
        return hourly_spend(self.month, self.gpu, np.random.default_rng(self.rng.integers(2**31)))

    def _gpu(self) -> Samples:
        return self._hourly(self.gpu)

    def _spend(self) -> Samples:
        return self._hourly(self.spend)

    def _yesterday(self) -> Samples:
        """The bill of a day in India, known at 06:00 IST of the next one."""
        days = range(BEFORE - 1, DAYS)
        hours = [slice(max(0, day * 24 - 6), day * 24 + 18) for day in days]
        known = np.array([self.month.start + 60.0 * ((day + 1) * DAY - IST + 6 * HOUR) for day in days])
        return Samples(known, np.array([self.spend[each].sum() for each in hours]), np.ones(len(known)))


def _kept(times: np.ndarray, values: np.ndarray, counts: np.ndarray, there: np.ndarray) -> Samples:
    return Samples(times[there], values[there], counts[there])


def _flaps(rng: np.random.Generator, start: int, end: int) -> Iterator[slice]:
    """Two or three bad minutes, then five to eight good ones, again and again."""
    while start < end:
        bad = int(rng.integers(2, 4))
        yield slice(start, min(start + bad, end))
        start += bad + int(rng.integers(5, 9))
