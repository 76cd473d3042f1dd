"""Namespaces: a ServiceAccount `default` in each, and the end of all that is in one that is deleted.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
"""

from __future__ import annotations

from collections.abc import Iterable

from labs.services.kubernetes import objects
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.resources import CONFIGMAPS, EVENTS, NAMESPACES, SERVICEACCOUNTS, STORED
from labs.services.kubernetes.store import Change, Key

_WHO = "namespace-controller"


class Namespaces:
    name = _WHO

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        if change.resource is NAMESPACES:
            return [("", objects.name(change.thing))]
        if change.what == "DELETED" and change.resource.namespaced:
            return [("", objects.namespace(change.thing))]
        return []

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        space = hands.get(NAMESPACES, *key)
        if space is None:
            return None
        name = objects.name(space)
        if not objects.deleting(space):
            self._furnish(name, hands)
            return None
        left = 0
        for resource in STORED:
            if resource.namespaced and resource is not EVENTS:
                for thing in hands.store.every(resource, name):
                    left += 1
                    if not objects.deleting(thing):
                        hands.delete(resource, thing, _WHO)
                        left -= hands.get(resource, name, objects.name(thing)) is None
        if left:
            return None
        for event in hands.store.every(EVENTS, name):
            hands.remove(EVENTS, event)
        finalizers = [one for one in objects.spec(space).get("finalizers") or [] if one != "kubernetes"]
        if finalizers or objects.meta(space).get("finalizers"):
            if finalizers != objects.spec(space).get("finalizers"):
                hands.put(NAMESPACES, {**space, "spec": {**space["spec"], "finalizers": finalizers}})
        else:
            hands.remove(NAMESPACES, space)
        return None

    @staticmethod
    def _furnish(space: str, hands: Hands) -> None:
        for resource, name, more in (
            (SERVICEACCOUNTS, "default", {}),
            (
                CONFIGMAPS,
                "kube-root-ca.crt",
                {
                    "data": {
                        "ca.crt": "this embedded API server is reached with the kubeconfig that it writes\n"
                    }
                },
            ),
        ):
            if hands.get(resource, space, name) is None:
                meta = {"name": name, "namespace": space}
                body = {"apiVersion": "v1", "kind": resource.kind, "metadata": meta, **more}
                hands.create(resource, space, body, _WHO)
