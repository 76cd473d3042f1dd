"""Garbage collection by owner references, and the expiry of events.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from collections.abc import Iterable

from labs.services.kubernetes import objects, resources
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.deleting import FOREGROUND, ORPHAN
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import EVENTS, Resource
from labs.services.kubernetes.store import Change, Key

_WHO = "generic-garbage-collector"
_EVENTS_LIVE = 3600.0


class Garbage:
    """Its keys are ("kind namespace", name)."""

    name = _WHO

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        thing = change.thing
        meta = objects.meta(thing)
        found = []
        if meta.get("ownerReferences") or {FOREGROUND, ORPHAN} & set(meta.get("finalizers") or []):
            found.append(_key(change.resource, thing))
        if change.what == "DELETED":
            for one in hands.store.owned(objects.uid(thing)):
                found.append((f"{one.resource.qualified} {one.namespace}", one.name))
            for owner in meta.get("ownerReferences") or []:
                resource = resources.by_kind(owner["apiVersion"], owner["kind"])
                if resource:
                    space = objects.namespace(thing) if resource.namespaced else ""
                    found.append((f"{resource.qualified} {space}", owner["name"]))
        return found

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        kind, _, space = key[0].partition(" ")
        plural, _, group = kind.partition(".")
        resource = resources.by_name(group, plural)
        thing = hands.get(resource, space, key[1]) if resource else None
        if resource is None or thing is None:
            return None
        finalizers = objects.meta(thing).get("finalizers") or []
        if objects.deleting(thing) and FOREGROUND in finalizers:
            self._foreground(resource, thing, hands)
        elif objects.deleting(thing) and ORPHAN in finalizers:
            self._orphan(resource, thing, hands)
        elif objects.meta(thing).get("ownerReferences") and not objects.deleting(thing):
            self._collect(resource, thing, hands)
        return None

    def _collect(self, resource: Resource, thing: Obj, hands: Hands) -> None:
        """Delete what has no living owner any more."""
        owners = objects.meta(thing)["ownerReferences"]
        alive = [one for one in owners if self._lives(one, objects.namespace(thing), hands)]
        if not alive:
            hands.delete(resource, thing, _WHO, propagationPolicy="Background")
        elif len(alive) < len(owners):
            hands.put(resource, {**thing, "metadata": {**thing["metadata"], "ownerReferences": alive}})

    @staticmethod
    def _lives(owner: Obj, space: str, hands: Hands) -> bool:
        resource = resources.by_kind(owner["apiVersion"], owner["kind"])
        if resource is None:
            return True  # of a kind that this server does not know: nothing can be concluded
        found = hands.get(resource, space if resource.namespaced else "", owner["name"])
        return found is not None and objects.uid(found) == owner["uid"]

    @staticmethod
    def _foreground(resource: Resource, thing: Obj, hands: Hands) -> None:
        blocking = 0
        for one in hands.store.owned(objects.uid(thing)):
            dependent = hands.get(one.resource, one.namespace, one.name)
            if dependent is None:
                continue
            mine = [
                ref for ref in objects.meta(dependent)["ownerReferences"] if ref["uid"] == objects.uid(thing)
            ]
            if not objects.deleting(dependent):
                hands.delete(one.resource, dependent, _WHO, propagationPolicy="Foreground")
            still = hands.get(one.resource, one.namespace, one.name) is not None
            blocking += still and bool(mine[0].get("blockOwnerDeletion"))
        if not blocking:
            _without_finalizer(resource, thing, FOREGROUND, hands)

    @staticmethod
    def _orphan(resource: Resource, thing: Obj, hands: Hands) -> None:
        for one in hands.store.owned(objects.uid(thing)):
            dependent = hands.get(one.resource, one.namespace, one.name)
            if dependent is not None:
                left = [
                    ref
                    for ref in objects.meta(dependent)["ownerReferences"]
                    if ref["uid"] != objects.uid(thing)
                ]
                hands.put(
                    one.resource,
                    {**dependent, "metadata": {**dependent["metadata"], "ownerReferences": left}},
                )
        _without_finalizer(resource, thing, ORPHAN, hands)


def _key(resource: Resource, thing: Obj) -> Key:
    return f"{resource.qualified} {objects.namespace(thing)}", objects.name(thing)


def _without_finalizer(resource: Resource, thing: Obj, finalizer: str, hands: Hands) -> None:
    left = [one for one in objects.meta(thing).get("finalizers") or [] if one != finalizer]
    after = {**thing, "metadata": {**thing["metadata"], "finalizers": left}}
    if left:
        hands.put(resource, after)
    else:
        hands.remove(resource, after)


class EventExpiry:
    """Events are gone an hour after they were last seen."""

    name = "event-expiry"

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        if change.resource is EVENTS and change.what != "DELETED":
            return [(objects.namespace(change.thing), objects.name(change.thing))]
        return []

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        event = hands.get(EVENTS, *key)
        if event is None:
            return None
        last = event.get("lastTimestamp") or objects.meta(event).get("creationTimestamp")
        end = objects.seconds(last) + _EVENTS_LIVE
        if hands.now < end:
            return end
        hands.remove(EVENTS, event)
        return None
