"""A fleet of replicas on simulated time: traffic, queues, slow starts and cold caches, half a minute at a time.

Run it to try your autoscaler:  python fleet.py work/online_inference [--seed 1] [--watch night]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from labs.world.process import _minute_weights

STEP, PART = 30, 5  # seconds: between two decisions; of the simulation
USUAL_HIT_RATIO = 0.96
IDEAL_LOAD = 0.7  # of a warm replica: so much an ideal fleet would ask of it
SLO_MS, SLO_ERRORS = 50.0, 0.01
MEASURED = (
    "requests",
    "errors",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "cache_hit_ratio",
    "feature_lookup_p95_ms",
    "cpu_percent",
)


@dataclass(frozen=True)
class Trace:
    """Requests per second, in replicas that an ideal fleet would need, for every step; and what monitoring missed."""

    name: str
    needs: np.ndarray
    missing: np.ndarray

    @property
    def hours(self) -> float:
        return len(self.needs) * STEP / 3600


@dataclass(frozen=True)
class Bounds:
    """What a trace allows: minutes outside of the objective, and cost as a multiple of an ideal fleet's."""

    lost_minutes: float
    cost: float


@dataclass(frozen=True)
class Score:
    """What came of it. `hours` and `ideal_hours` are replica-hours."""

    lost_minutes: float
    hours: float
    ideal_hours: float
    turns: int
    lowest: int

    @property
    def cost(self) -> float:
        return self.hours / self.ideal_hours


def config(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "seconds_per_step": STEP,
        "min_replicas": 2,
        "max_replicas": 120,
        "replica_rps": float(rng.integers(30, 90)),
        "start_seconds": int(rng.choice([60, 90])),
        "warm_seconds": 420,
        "slo_p95_ms": SLO_MS,
    }


# Traffic


def ramp(rng: np.random.Generator) -> Trace:
    """A working day's morning, up to about twenty replicas."""
    return _trace("ramp", _day_curve(5.5, 10.5, rng.uniform(17, 22)) * _wind(rng, 600, 0.03))


def spike(rng: np.random.Generator) -> Trace:
    """A flash sale: more than twice as much within a minute, for half an hour."""
    start, length = int(rng.integers(60, 100)), int(rng.integers(50, 70))
    shape = np.interp(
        np.arange(300),
        [start, start + 2, start + length, start + length + 4],
        [1, rng.uniform(2.1, 2.5), 2.1, 1],
    )
    return _trace("spike", rng.uniform(7, 10) * shape * _wind(rng, 300, 0.03))


def festival(rng: np.random.Generator) -> Trace:
    """The evening of Diwali."""
    gusts = 1 + 0.25 * np.exp(-(((np.arange(960) - rng.uniform(300, 500)) / 25) ** 2))
    return _trace("festival", _day_curve(16, 24, rng.uniform(24, 29)) * gusts * _wind(rng, 960, 0.05))


def flapping(rng: np.random.Generator) -> Trace:
    """A merchant whose batch job pays every few minutes."""
    period = rng.uniform(8, 13)  # steps
    wave = 1 + 0.28 * np.sign(np.sin(2 * np.pi * np.arange(260) / period + rng.uniform(0, 6)))
    return _trace("flapping", rng.uniform(9, 12) * wave * _wind(rng, 260, 0.03))


def night(rng: np.random.Generator) -> Trace:
    """From the evening into the night: a cricket final ends, and there is a small burst at three."""
    needs = _day_curve(21, 28.5, rng.uniform(44, 52)) * _wind(rng, 900, 0.03)
    ends = int(rng.integers(60, 90))
    needs *= np.interp(np.arange(900), [ends, ends + 4], [1, 0.25])
    burst = int(rng.integers(720, 760))
    needs[burst : burst + 30] *= 1.8
    return _trace("night", needs)


def blind(rng: np.random.Generator) -> Trace:
    """Monitoring misses some minutes on the way up, and more than twenty at the top."""
    missing = np.zeros(360, dtype=bool)
    for first, least, most in ((50, 5, 9), (110, 5, 9), (200, 42, 49), (310, 5, 9)):
        start = first + int(rng.integers(0, 15))
        missing[start : start + int(rng.integers(least, most))] = True
    return _trace("blind", _day_curve(7.5, 10.5, rng.uniform(17, 22)) * _wind(rng, 360, 0.03), missing)


def _trace(name: str, needs: np.ndarray, missing: np.ndarray | None = None) -> Trace:
    return Trace(name, needs, np.zeros(len(needs), dtype=bool) if missing is None else missing)


def _day_curve(first_hour: float, last_hour: float, peak: float) -> np.ndarray:
    """Nukkad Pay's traffic over a part of a day, its highest point at `peak`."""
    weights = np.array(_minute_weights(False), dtype=float)
    minutes = np.arange(first_hour * 60, last_hour * 60, STEP / 60)
    curve = np.interp(minutes % 1440, np.arange(1440), weights, period=1440)
    return peak * curve / curve.max()


def _wind(rng: np.random.Generator, steps: int, strength: float) -> np.ndarray:
    """Slow random ups and downs around 1."""
    noise, level = rng.normal(size=steps), 0.0
    out = np.empty(steps)
    for step in range(steps):
        level = 0.9 * level + math.sqrt(1 - 0.81) * float(noise[step])
        out[step] = math.exp(strength * level)
    return out


TRACES: dict[str, tuple[Callable[[np.random.Generator], Trace], Bounds]] = {
    "ramp": (ramp, Bounds(3, 1.5)),
    "festival": (festival, Bounds(3, 1.5)),
    "spike": (spike, Bounds(10, 1.6)),
    "flapping": (flapping, Bounds(6, 2.0)),
    "night": (night, Bounds(5, 1.6)),
    "blind": (blind, Bounds(4, 1.5)),
}
TURNS_PER_HOUR = 8


# The fleet


class Fleet:
    """Replicas that serve. Payers are spread over them, and each keeps its own payers in its cache."""

    def __init__(self, config: dict[str, Any], replicas: int) -> None:
        self.config = config
        self.ready = replicas
        self.starting: list[float] = []  # seconds that each still needs
        self.hit_ratio = USUAL_HIT_RATIO
        self.backlog = 0.0  # requests

    def order(self, wanted: int) -> None:
        """Start or end replicas. Those that are starting end first; what a serving one knew is gone with it."""
        more = wanted - self.ready - len(self.starting)
        if more > 0:
            self.starting += [float(self.config["start_seconds"])] * more
            return
        for _ in range(-more):
            if self.starting:
                self.starting.pop()
            else:
                self._become(self.ready - 1)

    def _become(self, ready: int) -> None:
        """Payers move to other replicas, which do not know them."""
        if ready > 0 and self.ready > 0:
            self.hit_ratio *= min(ready / self.ready, self.ready / ready)
        self.ready = ready

    def serve(self, rate: float, rng: np.random.Generator) -> dict[str, Any]:
        """Half a minute of traffic at `rate` requests per second; what monitoring sees of it."""
        requests = errors = 0.0
        p95 = load = 0.0
        arrivals = rng.poisson(rate * PART, STEP // PART)
        for count in arrivals.tolist():
            self.starting = [left - PART for left in self.starting]
            come = sum(left <= 0 for left in self.starting)
            if come:
                self.starting = [left for left in self.starting if left > 0]
                self._become(self.ready + come)
            cold = (USUAL_HIT_RATIO - self.hit_ratio) / USUAL_HIT_RATIO
            able = max(self.ready * self.config["replica_rps"] / (1 + 1.5 * cold), 1e-6)  # per second
            self.backlog += count
            self.backlog -= min(self.backlog, able * PART)
            too_late = max(0.0, self.backlog - able)  # who would wait for more than a second is turned away
            self.backlog -= too_late
            busy = min(count / (able * PART), 0.97)
            now = 22 + 50 * cold + 10 * busy**4 / (1 - busy) + 1000 * self.backlog / able
            p95, load = max(p95, now), load + count / (able * PART)
            requests, errors = requests + count, errors + too_late
            self.hit_ratio += (USUAL_HIT_RATIO - self.hit_ratio) * (
                1 - math.exp(-3 * PART / self.config["warm_seconds"])
            )
        noise = math.exp(0.04 * rng.normal())
        cold = (USUAL_HIT_RATIO - self.hit_ratio) / USUAL_HIT_RATIO
        return {
            "requests": int(requests),
            "errors": int(errors),
            "p50_ms": round(10 + 0.2 * (p95 - 22), 2),
            "p95_ms": round(p95 * noise, 2),
            "p99_ms": round(p95 * 1.6 * noise, 2),
            "cache_hit_ratio": round(self.hit_ratio, 4),
            "feature_lookup_p95_ms": round(2 + 30 * cold, 2),
            "cpu_percent": round(min(load / len(arrivals), 1.0) * 52 / (1 + cold), 1),
            "true_p95": p95,
        }


def play(
    trace: Trace, config: dict[str, Any], decide: Callable[[dict[str, Any]], int], rng: np.random.Generator
) -> Score:
    """Let `decide` run the fleet through a trace; it gets a telemetry row and gives the replicas that it wants."""
    per_need = config["replica_rps"] * IDEAL_LOAD
    ideal = np.clip(np.ceil(trace.needs), config["min_replicas"], config["max_replicas"])
    fleet = Fleet(config, int(ideal[0]) + 1)
    lost = turns = direction = 0
    paid = 0.0
    wanted = before = lowest = fleet.ready
    for step, (need, unseen) in enumerate(zip(trace.needs.tolist(), trace.missing.tolist(), strict=True)):
        seen = fleet.serve(need * per_need, rng)
        true_p95 = seen.pop("true_p95")
        lost += true_p95 > SLO_MS or seen["errors"] > SLO_ERRORS * max(seen["requests"], 1)
        paid += (fleet.ready + len(fleet.starting)) * STEP / 3600
        if unseen:
            seen = dict.fromkeys(MEASURED, math.nan)
        row = {"seconds": (step + 1) * STEP, "replicas": fleet.ready, "starting": len(fleet.starting), **seen}
        wanted = decide(row)
        lowest = min(lowest, wanted)
        fleet.order(min(max(wanted, 0), config["max_replicas"]))
        change = int(np.sign(wanted - before))
        if change and direction and change != direction:
            turns += 1
        direction, before = change or direction, wanted
    return Score(lost * STEP / 60, paid, float(ideal.sum()) * STEP / 3600, turns, lowest)


# To practise with


def main() -> None:
    asked = argparse.ArgumentParser(description="Play the traces to your autoscaler (simulated time).")
    asked.add_argument("folder", help="where autoscaler.py is")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--watch", choices=sorted(TRACES), help="print every fifth minute of this trace")
    options = asked.parse_args()
    sys.path.insert(0, options.folder)
    import autoscaler

    def watched(row: dict[str, Any]) -> int:
        wanted = autoscaler.decide(row)
        if row["seconds"] % 300 == 0:
            rate, hits = row["requests"] / STEP, row["cache_hit_ratio"]
            seen = (
                f"{row['seconds'] // 60:5} min  {rate:7.0f} rps  p95 {row['p95_ms']:7.1f} ms  hits {hits:.2f}"
            )
            print(f"{seen}  replicas {row['replicas']}+{row['starting']}, wanted {wanted}")
        return wanted

    for name in [options.watch] if options.watch else TRACES:
        draw, bounds = TRACES[name]
        rng = np.random.default_rng(options.seed)
        facts, trace = config(rng), draw(rng)
        autoscaler.start(dict(facts))
        score = play(trace, facts, watched if options.watch else autoscaler.decide, rng)
        turns = math.floor(TURNS_PER_HOUR * trace.hours)
        lost = f"lost {score.lost_minutes:6.1f} min (at most {bounds.lost_minutes:g})"
        cost = f"cost {score.cost:.2f} x ideal (at most {bounds.cost:g})"
        print(f"{name:9}{lost:30}  {cost:33}  turns {score.turns:3} (at most {turns})")


if __name__ == "__main__":
    main()
