"""Evicts pods from nodes with a NoExecute taint that they do not tolerate, or no longer.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
"""

from __future__ import annotations

from collections.abc import Iterable

from labs.services.kubernetes import objects
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.controllers.scheduler import tolerations_of
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import NODES, PODS
from labs.services.kubernetes.store import Change, Key

WHO = "taint-eviction-controller"


class TaintEviction:
    name = WHO

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], float] = {}

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        thing = change.thing
        if change.resource is NODES:
            before = objects.spec(change.before or {}).get("taints")
            if before == objects.spec(thing).get("taints"):
                return []
            name = objects.name(thing)
            pods = hands.store.every(PODS)
            return [
                (objects.namespace(pod), objects.name(pod))
                for pod in pods
                if objects.spec(pod).get("nodeName") == name
            ]
        if change.resource is PODS and change.what != "DELETED" and objects.spec(thing).get("nodeName"):
            return [(objects.namespace(thing), objects.name(thing))]
        return []

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        pod = hands.get(PODS, *key)
        if pod is None or objects.deleting(pod):
            return None
        node = hands.get(NODES, "", objects.spec(pod).get("nodeName") or "")
        taints = [one for one in objects.spec(node or {}).get("taints") or [] if one["effect"] == "NoExecute"]
        ends = [self._end(pod, taint, hands.now) for taint in taints]
        end = min((one for one in ends if one is not None), default=None)
        if not taints:
            self._since = {place: at for place, at in self._since.items() if place[0] != objects.uid(pod)}
        if end is None or hands.now < end:
            return end
        hands.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key[0]}/{key[1]}", WHO)
        hands.delete(PODS, pod, WHO)
        return None

    def _end(self, pod: Obj, taint: Obj, now: float) -> float | None:
        """When the pod has to go because of a taint; None if it may stay for ever."""
        found = tolerations_of(pod["spec"], taint)
        since = self._since.setdefault((objects.uid(pod), f"{taint['key']}={taint.get('value', '')}"), now)
        if not found:
            return since
        limits = [one["tolerationSeconds"] for one in found if one.get("tolerationSeconds") is not None]
        return since + max(0, min(limits)) if limits else None
