"""The arithmetic of a Deployment's rollout. Pure functions over the sizes of its ReplicaSets.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment and
pkg/controller/deployment/rolling.go of Kubernetes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labs.services.kubernetes.quantities import share


@dataclass(frozen=True)
class Size:
    """A ReplicaSet. `wanted`: its spec.replicas; `most`: what its Deployment could have when last scaled."""

    name: str
    wanted: int
    available: int
    created: float = 0.0
    most: int = 0


@dataclass(frozen=True)
class Limits:
    """How many pods a Deployment may have beyond, and lack of, its replicas."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        return self.replicas + self.surge

    @property
    def least(self) -> int:
        """Pods that must be available."""
        return max(0, self.replicas - self.unavailable)


def limits(replicas: int, max_surge: Any, max_unavailable: Any) -> Limits:
    """Percentages of the replicas: surge rounded up, unavailable down; never both 0."""
    surge = share(max_surge, replicas, up=True)
    unavailable = share(max_unavailable, replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(replicas, surge, min(unavailable, replicas))


def step(bounds: Limits, new: Size, old: Sequence[Size]) -> dict[str, int]:
    """The next sizes of a rolling update: {name: replicas} of those that change."""
    total = new.wanted + sum(one.wanted for one in old)
    if new.wanted > bounds.replicas:
        return {new.name: bounds.replicas}
    if new.wanted < bounds.replicas and total < bounds.most:
        return {new.name: new.wanted + min(bounds.most - total, bounds.replicas - new.wanted)}
    return _shrink(bounds, new, sorted(old, key=lambda one: (one.created, one.name)), total)


def _shrink(bounds: Limits, new: Size, old: Sequence[Size], total: int) -> dict[str, int]:
    """Old ReplicaSets: first pods that are not available anyway, then available ones beyond the least."""
    may_go = total - bounds.least - (new.wanted - min(new.available, new.wanted))
    if may_go <= 0:
        return {}
    sizes = {one.name: one.wanted for one in old}
    gone = 0
    for one in old:
        part = min(may_go - gone, sizes[one.name] - min(one.available, sizes[one.name]))
        sizes[one.name] -= part
        gone += part
    spare = new.available + sum(one.available for one in old) - bounds.least
    for one in old:
        part = max(0, min(spare, sizes[one.name]))
        sizes[one.name] -= part
        spare -= part
    return {one.name: sizes[one.name] for one in old if sizes[one.name] != one.wanted}


def proportional(bounds: Limits, sets: Sequence[Size], *, newest: str) -> dict[str, int]:
    """New sizes when a Deployment is scaled in the middle of a rollout: each ReplicaSet by its share."""
    allowed = bounds.most if bounds.replicas > 0 else 0
    to_add = allowed - sum(one.wanted for one in sets)
    if to_add == 0:
        return {}
    ahead = -1 if to_add > 0 else 1
    ordered = sorted(sets, key=lambda one: (-one.wanted, ahead * one.created, one.name != newest))
    sizes, added = {}, 0
    for one in ordered:
        exact = one.wanted * bounds.most / (one.most or one.wanted or 1) if bounds.replicas else 0.0
        part = int(exact + 0.5) - one.wanted
        room = to_add - added
        part = max(0, min(part, room)) if to_add > 0 else min(0, max(part, room))
        sizes[one.name] = one.wanted + part
        added += part
    if ordered and to_add != added:
        first = ordered[0].name
        sizes[first] = max(0, sizes[first] + to_add - added)
    return {one.name: sizes[one.name] for one in sets if sizes[one.name] != one.wanted}
