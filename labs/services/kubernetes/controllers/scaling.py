"""How many replicas an autoscaler wants. Pure functions.

Source: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details and
…#configurable-scaling-behavior
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from labs.services.kubernetes.objects import Obj

TOLERANCE = Decimal("0.1")
DOWN_WINDOW = 300
_UP: Obj = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: Obj = {
    "stabilizationWindowSeconds": DOWN_WINDOW,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def wanted(replicas: int, ratio: Decimal) -> int:
    """ceil(replicas × ratio), or as many as now within the tolerance of 10 %."""
    if abs(ratio - 1) <= TOLERANCE:
        return replicas
    return math.ceil(replicas * ratio)


def wanted_by_pods(
    ready: Sequence[Decimal], unready: int, missing: int, target: Decimal, replicas: int, *, cpu: bool
) -> tuple[int, Decimal]:
    """(replicas, average) for a measure of each pod against a target for each pod.

    Pods that are not ready count as idle when scaling up (of CPU only); pods without a measure count as idle when
    scaling up and as on target when scaling down. If that turns the direction, nothing is done.
    """
    average = sum(ready, Decimal(0)) / len(ready)
    ratio = average / target
    if not missing and not (unready and cpu and ratio > 1):
        return (
            (replicas, average) if abs(ratio - 1) <= TOLERANCE else (math.ceil(len(ready) * ratio), average)
        )
    filled = list(ready)
    if ratio > 1:
        filled += [Decimal(0)] * (missing + (unready if cpu else 0))
    elif ratio < 1:
        filled += [target] * missing
    again = sum(filled, Decimal(0)) / len(filled) / target
    turned = (ratio < 1 < again) or (ratio > 1 > again)
    if abs(again - 1) <= TOLERANCE or turned:
        return replicas, average
    size = math.ceil(len(filled) * again)
    if (again < 1 and size > replicas) or (again > 1 and size < replicas):
        return replicas, average
    return size, average


@dataclass(frozen=True)
class Past:
    """What an autoscaler remembers.

    Attributes:
        advice: (moment, replicas) that the metrics asked for.
        scaled: (moment, change in replicas).
    """

    advice: tuple[tuple[float, int], ...] = ()
    scaled: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True)
class Advice:
    """Attributes: replicas; reason and message of the ScalingLimited condition; whether a window held it back."""

    replicas: int
    limited: bool
    reason: str
    message: str
    stabilised: str = ""


def decide(spec: Obj, current: int, proposal: int, past: Past, now: float) -> Advice:
    """From what the metrics ask for to what is done: windows, then policies, then the bounds.

    Args:
        past: its `advice` includes the present proposal.
    """
    behaviour = spec.get("behavior") or {}
    up, down = {**_UP, **(behaviour.get("scaleUp") or {})}, {**_DOWN, **(behaviour.get("scaleDown") or {})}
    low, high = spec.get("minReplicas", 1), spec["maxReplicas"]
    stable = _stabilised(current, proposal, past.advice, up, down, now)
    held = ""
    if stable != proposal:
        held = "ScaleDownStabilized" if stable > proposal else "ScaleUpStabilized"
    if stable > current:
        most = min(_limit_up(current, past.scaled, up, now), high)
        if stable > most:
            by_bound = most == high
            return Advice(
                max(most, low) if by_bound else most,
                True,
                "TooManyReplicas" if by_bound else "ScaleUpLimit",
                "the desired replica count is more than the maximum replica count"
                if by_bound
                else "the desired replica count is increasing faster than the maximum scale rate",
                held,
            )
    elif stable < current:
        least = max(_limit_down(current, past.scaled, down, now), low)
        if stable < least:
            by_bound = least == low
            return Advice(
                least,
                True,
                "TooFewReplicas" if by_bound else "ScaleDownLimit",
                "the desired replica count is less than the minimum replica count"
                if by_bound
                else "the desired replica count is decreasing faster than the maximum scale rate",
                held,
            )
    fine = "the desired count is within the acceptable range"
    if stable < low:
        return Advice(
            low,
            True,
            "TooFewReplicas",
            "the desired replica count is less than the minimum replica count",
            held,
        )
    if stable > high:
        return Advice(
            high,
            True,
            "TooManyReplicas",
            "the desired replica count is more than the maximum replica count",
            held,
        )
    return Advice(stable, False, "DesiredWithinRange", fine, held)


def _stabilised(
    current: int, proposal: int, advice: Iterable[tuple[float, int]], up: Obj, down: Obj, now: float
) -> int:
    """Up only to the lowest, down only to the highest that was asked for within the windows."""
    lowest = highest = proposal
    for moment, replicas in advice:
        if moment > now - up["stabilizationWindowSeconds"]:
            lowest = min(lowest, replicas)
        if moment > now - down.get("stabilizationWindowSeconds", DOWN_WINDOW):
            highest = max(highest, replicas)
    found = current
    if found < lowest:
        found = lowest
    if found > highest:
        found = highest
    return found


def _limit_up(current: int, scaled: Iterable[tuple[float, int]], rules: Obj, now: float) -> int:
    if rules["selectPolicy"] == "Disabled":
        return current
    scaled = list(scaled)
    found: list[int] = []
    for one in rules["policies"]:
        base = current - _sum(scaled, one["periodSeconds"], now, up=True)
        if one["type"] == "Pods":
            found.append(base + one["value"])
        else:
            found.append(math.ceil(base * (1 + Decimal(one["value"]) / 100)))
    return max(found) if rules["selectPolicy"] == "Max" else min(found)


def _limit_down(current: int, scaled: Iterable[tuple[float, int]], rules: Obj, now: float) -> int:
    if rules["selectPolicy"] == "Disabled":
        return current
    scaled = list(scaled)
    found: list[int] = []
    for one in rules["policies"]:
        base = current + _sum(scaled, one["periodSeconds"], now, up=False)
        if one["type"] == "Pods":
            found.append(base - one["value"])
        else:
            found.append(int(base * (1 - Decimal(one["value"]) / 100)))
    return min(found) if rules["selectPolicy"] == "Max" else max(found)


def _sum(scaled: Iterable[tuple[float, int]], period: int, now: float, *, up: bool) -> int:
    """How much was scaled in one direction within a period."""
    return sum(abs(by) for moment, by in scaled if moment > now - period and (by > 0) == up)


def remember(past: Past, now: float, spec: Any) -> Past:
    """Without what no window and no period can reach any more (an hour at most)."""
    keep = now - 3600
    return Past(
        tuple(one for one in past.advice if one[0] > keep), tuple(one for one in past.scaled if one[0] > keep)
    )
