"""Where a replay begins in the year, and changes that the world itself does not know."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from replay import REFERENCE_DAYS, Replay, Strike

DIWALI = (date(2025, 10, 20), date(2026, 11, 8), date(2027, 10, 29))
SLOW_SHARE_PER_DAY = 0.02
QUIET_FESTIVALS = ("Holi", "Eid al-Fitr", "Raksha Bandhan", "Ganesh Chaturthi", "Dussehra")


def ordinary(seed: int, days: int = 0) -> Replay:
    """Early summer, without festivals. Day 0 is the third to the fifth of a month: no salary day comes for three
    weeks, so what happens in them is an incident or nothing."""
    first = date(2026 + seed % 2, 5 + seed % 3, 3 + seed // 6 % 3)
    return Replay(_world_seed(seed), first - timedelta(days=REFERENCE_DAYS), days)


def around_diwali(seed: int, before: int, after: int) -> tuple[Replay, int]:
    """A replay from `before` days before Diwali to `after` days after it, and the day on which it falls."""
    first = DIWALI[seed % len(DIWALI)] - timedelta(days=before + REFERENCE_DAYS)
    return Replay(_world_seed(seed), first, before + after + 1), before


def with_quiet_festival(replay: Replay) -> tuple[Replay, int]:
    """The first ordinary day becomes a festival on which nobody spends more; and which day that is."""
    days = (replay.calendar(day) for day in range(replay.days))
    day = next(n for n, today in enumerate(days) if not (today.festival or today.is_salary_day))
    return replace(replay, festivals={day: QUIET_FESTIVALS[replay.seed % len(QUIET_FESTIVALS)]}), day


def that_comes_back(replay: Replay, rng: np.random.Generator) -> Replay:
    """Wrong units for some days; again after two days without, which is the same incident; and again after three."""
    first = replay.days + 3
    days = rng.integers(2, 5, size=3)
    for silent, lasts in zip((0, 2, 3), days.tolist(), strict=True):
        first += silent
        replay = replay.hit(rng, "unit_switch", "amount_paise", day=first, last_day=first + lasts - 1)
        first += lasts
    return replay


def with_metres(replay: Replay, rng: np.random.Generator) -> Replay:
    """Some clients begin to send `distance_km` in metres, for two days."""
    first, share = replay.days + 3, rng.uniform(0.4, 1.0)

    def tamper(day: int, frame: pd.DataFrame) -> pd.DataFrame:
        if day not in (first, first + 1):
            return frame
        hit = np.random.default_rng([replay.seed, day]).random(len(frame)) < share
        return frame.assign(distance_km=frame["distance_km"] * np.where(hit, 1000.0, 1.0))

    return replay.tampered(tamper, Strike("unit_switch", ("distance_km",), first, first + 1, first + 1))


def with_good_deploy(replay: Replay, day: int) -> Replay:
    """From `day` on another version answers, and answers just as well."""

    def tamper(today: int, frame: pd.DataFrame) -> pd.DataFrame:
        if today < day:
            return frame
        wobble = np.random.default_rng([replay.seed, today]).normal(0, 0.02, len(frame))
        odds = frame["score"] / (1 - frame["score"]) * np.exp(wobble)
        version = frame["model_version"].cat.rename_categories({"fraud-3": "fraud-3.1"})
        return frame.assign(score=odds / (1 + odds), model_version=version)

    return replay.tampered(tamper)


def with_disguised_deploy(replay: Replay, rng: np.random.Generator) -> Replay:
    """A bad model that somebody put in place under the name of the good one."""
    replay = replay.hit(rng, "bad_deploy")
    strike = replay.strikes[-1]

    def tamper(day: int, frame: pd.DataFrame) -> pd.DataFrame:
        if not strike.first <= day <= strike.last:
            return frame
        return frame.assign(model_version=frame["model_version"].astype(str).replace("fraud-4", "fraud-3.1"))

    return replay.tampered(tamper)


def with_slow_shift(replay: Replay, rng: np.random.Generator, first: int, days: int) -> Replay:
    """Each day a few more payers behave like the upper half of all. No day differs much from the day before."""
    column = str(rng.choice(["distance_km", "payer_txn_count_24h"]))
    low, high = np.quantile(replay.reference()[0][column], [0.5, 0.98])

    def tamper(day: int, frame: pd.DataFrame) -> pd.DataFrame:
        if day < first:
            return frame
        draw = np.random.default_rng([replay.seed, day])
        values = frame[column].to_numpy()
        upper = values[(values >= low) & (values <= high)]
        hit = draw.random(len(frame)) < SLOW_SHARE_PER_DAY * (day - first + 1)
        return frame.assign(**{column: np.where(hit, draw.choice(upper, len(frame)), values)})

    last = first + days - 1
    replay = replay.tampered(tamper, Strike("population_shift", (column,), first, last, last))
    return replace(replay, days=last + 1)  # it goes on for ever, so nothing comes after it


def _world_seed(seed: int) -> int:
    return int(np.random.SeedSequence([seed, 5]).generate_state(1)[0])
