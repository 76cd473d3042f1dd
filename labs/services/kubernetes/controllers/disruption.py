"""PodDisruptionBudgets: how many pods may be evicted now.

Source: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labs.services.kubernetes import objects, selectors
from labs.services.kubernetes.controllers.hands import Hands, with_condition
from labs.services.kubernetes.controllers.replicaset import is_ready
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import share
from labs.services.kubernetes.resources import BUDGETS, DEPLOYMENTS, JOBS, PODS, REPLICASETS
from labs.services.kubernetes.store import Change, Key

_FORGET = 120.0


def needed(spec: Obj, expected: int) -> int:
    """Healthy pods that must stay, of those expected. Percentages are rounded up."""
    least: Any = spec.get("minAvailable")
    if least is not None:
        return share(least, expected, up=True)
    most: Any = spec.get("maxUnavailable")
    if most is not None:
        return max(0, expected - share(most, expected, up=True))
    return 0


def status_of(budget: Obj, pods: list[Obj], expected: int, now: float) -> tuple[Obj, float | None]:
    """The status; and when evictions that are still under way are forgotten."""
    before = objects.status(budget)
    names = {objects.name(pod): pod for pod in pods}
    disrupted = {
        name: moment
        for name, moment in (before.get("disruptedPods") or {}).items()
        if name in names and not objects.deleting(names[name]) and now < objects.seconds(moment) + _FORGET
    }
    healthy = sum(
        1
        for pod in pods
        if is_ready(pod) and not objects.deleting(pod) and objects.name(pod) not in disrupted
    )
    desired = needed(objects.spec(budget), expected)
    allowed = max(0, healthy - desired) if expected else 0
    enough = allowed > 0
    state: Obj = {
        "observedGeneration": budget["metadata"].get("generation", 1),
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "conditions": with_condition(
            list(before.get("conditions") or []),
            "DisruptionAllowed",
            "True" if enough else "False",
            "SufficientPods" if enough else "InsufficientPods",
            "",
            objects.timestamp(now),
            observedGeneration=budget["metadata"].get("generation", 1),
        ),
    }
    if disrupted:
        state["disruptedPods"] = disrupted
    ends = [objects.seconds(moment) + _FORGET for moment in disrupted.values()]
    return state, min(ends, default=None)


def _seen(pod: Obj) -> tuple[object, ...]:
    """All of a pod that budgets count."""
    owners = objects.meta(pod).get("ownerReferences")
    return objects.labels(pod), owners, objects.status(pod).get("phase"), is_ready(pod), objects.deleting(pod)


class Disruption:
    name = "disruption-controller"

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        thing = change.thing
        space = objects.namespace(thing)
        if change.resource is BUDGETS:
            return [(space, objects.name(thing))]
        if change.resource is PODS:
            if change.what == "MODIFIED" and _seen(change.before or {}) == _seen(thing):
                return []
            seen = [objects.labels(thing), objects.labels(change.before or {})]
        elif change.resource in (DEPLOYMENTS, REPLICASETS):
            template = (objects.spec(thing).get("template") or {}).get("metadata") or {}
            seen = [template.get("labels") or {}]
        else:
            return []
        return [
            (space, objects.name(one))
            for one in hands.store.every(BUDGETS, space)
            if any(selectors.matches(objects.spec(one).get("selector"), labels) for labels in seen)
        ]

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        budget = hands.get(BUDGETS, *key)
        if budget is None:
            return None
        pods = [
            pod
            for pod in hands.store.every(PODS, key[0])
            if selectors.matches(objects.spec(budget).get("selector"), objects.labels(pod))
            and objects.status(pod).get("phase") not in ("Succeeded", "Failed")
        ]
        state, again = status_of(budget, pods, _expected(objects.spec(budget), pods, hands), hands.now)
        hands.set_status(BUDGETS, budget, state)
        return again


def _expected(spec: Obj, pods: list[Obj], hands: Hands) -> int:
    """With a plain minAvailable the pods that there are; otherwise what their controllers want."""
    if isinstance(spec.get("minAvailable"), int):
        return len(pods)
    if spec.get("minAvailable") is None and spec.get("maxUnavailable") is None:
        return 0
    total, seen = 0, set[str]()
    for pod in pods:
        owner = _top(pod, hands)
        if owner is None:
            continue
        if objects.uid(owner) not in seen:
            seen.add(objects.uid(owner))
            spec_of = objects.spec(owner)
            total += int(spec_of.get("replicas") or spec_of.get("parallelism") or 0)
    return total


def _top(pod: Obj, hands: Hands) -> Obj | None:
    """The Deployment, ReplicaSet or Job above a pod."""
    space, found = objects.namespace(pod), None
    reference = objects.controller_of(pod)
    kinds = {"ReplicaSet": REPLICASETS, "Deployment": DEPLOYMENTS, "Job": JOBS}
    while reference and reference["kind"] in kinds:
        above = hands.get(kinds[reference["kind"]], space, reference["name"])
        if above is None:
            break
        found, reference = above, objects.controller_of(above)
    return found
