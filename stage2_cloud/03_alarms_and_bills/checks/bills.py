"""What `fraud` costs: every hour of a month in ₹, and what a budget says about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from months import BEFORE, DAYS, IST, Month

RUPEES_A_GPU_HOUR = 190.0
RETRAINING_HOURS = 5


def hourly_gpu(month: Month, rng: np.random.Generator) -> np.ndarray:
    """GPU-hours of each hour: training at night, retraining on the last day of the month, and what ran away."""
    hours = np.arange(DAYS * 24)
    gpu = np.zeros(len(hours))
    in_india = ((hours * 60 + IST) % 1440) // 60
    training = (in_india >= 2) & (in_india < 5)
    gpu[training] = rng.uniform(28, 38, training.sum())
    for day in _last_days(month, 1):
        start = day * 24 + 3  # 08:30 IST
        gpu[start : start + RETRAINING_HOURS] = rng.uniform(
            36, 40, len(gpu[start : start + RETRAINING_HOURS])
        )
    for event in month.of("runaway job"):
        gpu[event.start // 60 : event.end // 60] += event.severity / RUPEES_A_GPU_HOUR
    return gpu


def hourly_spend(month: Month, gpu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """₹ of each hour. Servers follow the traffic; the last three days of a month cost more (reports, storage)."""
    of_day = month.expected.reshape(DAYS, -1).sum(axis=1)
    servers = np.repeat(1500 * of_day / of_day[: BEFORE + 7].mean(), 24) * rng.uniform(0.85, 1.1, len(gpu))
    for day in _last_days(month, 3):
        servers[day * 24 : day * 24 + 24] *= 1.3
    return servers + gpu * RUPEES_A_GPU_HOUR


def _last_days(month: Month, count: int) -> list[int]:
    dates = [month.first_day + timedelta(days=day) for day in range(DAYS)]
    return [day for day in range(DAYS) if (dates[day] + timedelta(days=count)).month != dates[day].month]


@dataclass(frozen=True)
class Said:
    """A notification went off: on which day of the month (the first is 1), at which share of the budget, to whom.

    `told` are addresses: ARNs of topics, and mail.
    """

    day: int
    kind: str
    percent: float
    told: tuple[str, ...]


def play_budget(limit: float, notifications: Iterable[Mapping[str, Any]], spent: np.ndarray) -> list[Said]:
    """What a budget of `limit` says over the daily bills `spent`, in the budget's unit.

    The forecast is that of the mean day, from the fifth day on. AWS wants five weeks of history, and knows more.
    """
    sums, said = np.cumsum(spent), []
    days = np.arange(1, len(spent) + 1)
    forecast = np.where(days >= 5, sums / days * len(spent), 0.0)
    for each in notifications:
        values = sums if each["NotificationType"] == "ACTUAL" else forecast
        line = float(each["Threshold"])
        if each.get("ThresholdType", "PERCENTAGE") == "PERCENTAGE":
            line *= limit / 100
        beyond = {"GREATER_THAN": values > line, "EQUAL_TO": values == line}.get(
            each["ComparisonOperator"], values < line
        )
        if beyond.any():
            told = tuple(sorted(one["Address"] for one in each["Subscribers"]))
            said.append(Said(int(beyond.argmax()) + 1, each["NotificationType"], line / limit * 100, told))
    return sorted(said, key=lambda one: (one.day, one.kind, one.percent))
