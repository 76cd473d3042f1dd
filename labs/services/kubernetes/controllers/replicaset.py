"""ReplicaSets: as many pods as wanted, and which of them go first.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

from collections.abc import Iterable

from labs.services.kubernetes import objects, selectors
from labs.services.kubernetes.controllers.hands import Hands, with_condition
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import PODS, REPLICASETS
from labs.services.kubernetes.statuses import ApiError
from labs.services.kubernetes.store import Change, Key

WHO = "replicaset-controller"
_RETRY = 10.0
_COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSetController:
    name = WHO

    def __init__(self) -> None:
        self._refused: dict[str, tuple[int, float]] = {}

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        thing = change.thing
        space = objects.namespace(thing)
        if change.resource is REPLICASETS:
            return [(space, objects.name(thing))]
        if change.resource is not PODS:
            return []
        owner = objects.controller_of(thing)
        if owner:
            return [(space, owner["name"])] if owner["kind"] == "ReplicaSet" else []
        if not objects.labels(thing):
            return []
        return [
            (space, objects.name(one))
            for one in hands.store.every(REPLICASETS, space)
            if selectors.matches(one["spec"].get("selector"), objects.labels(thing))
        ]

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        replicas = hands.get(REPLICASETS, *key)
        if replicas is None:
            return None
        failure, again = "", None
        pods = self._pods(replicas, hands)
        if not objects.deleting(replicas):
            missing = replicas["spec"]["replicas"] - len(pods)
            if missing > 0:
                failure, again = self._fill(replicas, missing, pods, hands)
            if missing < 0:
                for pod in first_to_go(pods, hands.now)[:-missing]:
                    hands.delete(PODS, pod, WHO)
                    text = f"Deleted pod: {objects.name(pod)}"
                    hands.event(replicas, "Normal", "SuccessfulDelete", text, WHO)
                pods = self._pods(replicas, hands)
        current = hands.get(REPLICASETS, *key)
        if current is None:
            return None
        state, later = status_of(current, pods, hands.now, failure)
        hands.set_status(REPLICASETS, current, state)
        return min((one for one in (again, later) if one is not None), default=None)

    def _fill(self, replicas: Obj, missing: int, pods: list[Obj], hands: Hands) -> tuple[str, float | None]:
        """Create pods; where one is refused: why, and when to try again."""
        uid, generation = objects.uid(replicas), replicas["metadata"].get("generation", 1)
        before, moment = self._refused.get(uid, (0, 0.0))
        if before == generation and hands.now < moment:
            return (objects.condition(replicas, "ReplicaFailure") or {}).get("message", ""), moment
        self._refused.pop(uid, None)
        for _ in range(missing):
            try:
                pods.append(self._create(replicas, hands))
            except ApiError as error:
                moment = hands.now + _RETRY
                self._refused[uid] = generation, moment
                text = f"Error creating: {error.message}"
                hands.event(replicas, "Warning", "FailedCreate", text, WHO)
                return error.message, moment
        return "", None

    def _pods(self, replicas: Obj, hands: Hands) -> list[Obj]:
        """Its pods that count: not finished and not ending. Pods without an owner that it selects become its own."""
        found = [one for one in hands.owned(PODS, replicas) if counts(one)]
        if objects.deleting(replicas):
            return found
        for pod in hands.store.every(PODS, objects.namespace(replicas)):
            free = not pod["metadata"].get("ownerReferences") and counts(pod)
            if free and selectors.matches(replicas["spec"]["selector"], objects.labels(pod)):
                owners = [objects.owner_reference(replicas)]
                adopted = {**pod, "metadata": {**pod["metadata"], "ownerReferences": owners}}
                found.append(hands.put(PODS, adopted))
        return found

    @staticmethod
    def _create(replicas: Obj, hands: Hands) -> Obj:
        template = objects.copy(replicas["spec"]["template"])
        meta = template.get("metadata") or {}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{objects.name(replicas)}-",
                "labels": meta.get("labels") or {},
                **({"annotations": meta["annotations"]} if meta.get("annotations") else {}),
                "ownerReferences": [objects.owner_reference(replicas)],
            },
            "spec": template["spec"],
        }
        pod = hands.create(PODS, objects.namespace(replicas), body, WHO)
        hands.event(replicas, "Normal", "SuccessfulCreate", f"Created pod: {objects.name(pod)}", WHO)
        return pod


def counts(pod: Obj) -> bool:
    return objects.status(pod).get("phase") not in ("Succeeded", "Failed") and not objects.deleting(pod)


def is_ready(pod: Obj) -> bool:
    found = objects.condition(pod, "Ready")
    return bool(found) and found is not None and found["status"] == "True"


def available_at(pod: Obj, min_ready: int) -> float | None:
    """When a pod has been ready for long enough; None if it is not ready."""
    found = objects.condition(pod, "Ready")
    if found is None or found["status"] != "True":
        return None
    return objects.seconds(found["lastTransitionTime"]) + min_ready


def first_to_go(pods: Iterable[Obj], now: float) -> list[Obj]:
    """Pods in the order in which they are given up.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
    """

    def rank(pod: Obj) -> tuple[object, ...]:
        ready = is_ready(pod)
        since = objects.condition(pod, "Ready") or {}
        restarts = sum(
            one.get("restartCount", 0) for one in objects.status(pod).get("containerStatuses") or []
        )
        cost = objects.notes(pod).get(_COST) or "0"
        return (
            bool(objects.spec(pod).get("nodeName")),
            {"Pending": 0, "Unknown": 1}.get(objects.status(pod).get("phase") or "", 2),
            ready,
            int(cost) if cost.lstrip("-").isdigit() else 0,
            -objects.seconds(since.get("lastTransitionTime")) if ready else 0.0,
            -restarts,
            -objects.seconds(pod["metadata"]["creationTimestamp"]),
            objects.name(pod),
        )

    return sorted(pods, key=rank)


def status_of(replicas: Obj, pods: list[Obj], now: float, failure: str) -> tuple[Obj, float | None]:
    """The status, and when the next pod becomes available by waiting."""
    spec = replicas["spec"]
    moments = [available_at(pod, spec.get("minReadySeconds") or 0) for pod in pods]
    known = [one for one in moments if one is not None]
    wanted = (spec["template"].get("metadata") or {}).get("labels") or {}
    labelled = [pod for pod in pods if wanted.items() <= objects.labels(pod).items()]
    counts_of = {
        "fullyLabeledReplicas": len(labelled),
        "readyReplicas": len(known),
        "availableReplicas": sum(1 for one in known if one <= now),
    }
    state: Obj = {
        "replicas": len(pods),
        "observedGeneration": replicas["metadata"].get("generation", 1),
        **{key: value for key, value in counts_of.items() if value},
    }
    conditions = objects.status(replicas).get("conditions") or []
    known_failure = objects.condition(replicas, "ReplicaFailure")
    if failure and known_failure:
        state["conditions"] = conditions
    elif failure:
        stamp = objects.timestamp(now)
        state["conditions"] = with_condition(
            conditions, "ReplicaFailure", "True", "FailedCreate", failure, stamp
        )
    return state, min((one for one in known if one > now), default=None)
