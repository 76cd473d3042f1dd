"""What controllers do to the cluster: read, create, change, delete, and record events."""

from __future__ import annotations

import hashlib
from typing import Any

from labs.services.kubernetes import objects
from labs.services.kubernetes.context import Context, Identities
from labs.services.kubernetes.controllers.surroundings import Surroundings
from labs.services.kubernetes.deleting import Deleter
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import EVENTS, NAMESPACES, Resource
from labs.services.kubernetes.store import Store
from labs.services.kubernetes.users import controller
from labs.services.kubernetes.writing import Writer

MANAGER = "kube-controller-manager"


class Hands:
    """Attributes: now: the moment that a controller acts in, in seconds since 1970."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        deleter: Deleter,
        identities: Identities,
        surroundings: Surroundings,
    ) -> None:
        self.store, self.surroundings = store, surroundings
        self._writer, self._deleter, self._identities = writer, deleter, identities
        self.now = 0.0

    @property
    def stamp(self) -> str:
        return objects.timestamp(self.now)

    def _context(self, who: str) -> Context:
        return Context(controller(who), self.now, MANAGER, validation="Ignore", own=True)

    def get(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        return self.store.get(resource, namespace, name)

    def owned(self, resource: Resource, owner: Obj) -> list[Obj]:
        """Objects of a kind that this one controls, in the order of their names."""
        found = []
        for reference in self.store.owned(objects.uid(owner)):
            if reference.resource is resource:
                thing = self.store.get(resource, reference.namespace, reference.name)
                controller = objects.controller_of(thing) if thing else None
                if thing and controller and controller["uid"] == objects.uid(owner):
                    found.append(thing)
        return sorted(found, key=objects.name)

    def create(self, resource: Resource, namespace: str, body: Obj, who: str) -> Obj:
        """Raises: ApiError, as it would be for a client."""
        return self._writer.create(resource, namespace, body, self._context(who))

    def scale(self, resource: Resource, thing: Obj, replicas: int, who: str) -> Obj:
        """Set the replicas through the scale subresource, as a client does: validated, and with managed fields."""
        ctx = self._context(who)
        ctx.via = "scale"
        after = {**thing, "spec": {**thing["spec"], "replicas": replicas}}
        return self._writer.update(resource, objects.namespace(thing), objects.name(thing), after, ctx)

    def put(self, resource: Resource, thing: Obj) -> Obj:
        """Store as it is."""
        return self.store.put(resource, thing)

    def set_status(self, resource: Resource, thing: Obj, status: Obj) -> Obj:
        if status == objects.status(thing):
            return thing
        return self.store.put(resource, {**thing, "status": status})

    def set_spec(
        self, resource: Resource, thing: Obj, notes: dict[str, str] | None = None, **spec: Any
    ) -> Obj:
        """Change fields of a spec and annotations; the generation moves if the spec does."""
        after = {**thing, "spec": {**thing["spec"], **spec}, "metadata": dict(thing["metadata"])}
        if notes:
            after["metadata"]["annotations"] = {**objects.notes(thing), **notes}
        if after == thing:
            return thing
        if after["spec"] != thing["spec"]:
            after["metadata"]["generation"] = thing["metadata"].get("generation", 0) + 1
        return self.store.put(resource, after)

    def delete(self, resource: Resource, thing: Obj, who: str, **options: Any) -> None:
        current = self.store.get(resource, objects.namespace(thing), objects.name(thing))
        if current is not None and objects.uid(current) == objects.uid(thing):
            self._deleter.delete(resource, current, options, self._context(who))

    def remove(self, resource: Resource, thing: Obj) -> None:
        self.store.remove(resource, thing)

    def event(self, about: Obj, kind: str, reason: str, message: str, source: str) -> None:
        """Record an Event; the same one again only counts.

        Args:
            kind: Normal or Warning.
        """
        space = objects.namespace(about) or "default"
        if self.store.get(NAMESPACES, "", space) is None:
            return
        key = f"{objects.uid(about)}/{reason}/{message}/{source}"
        digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        name = f"{objects.name(about)}.{digest}"
        before = self.store.get(EVENTS, space, name)
        if before is not None:
            count = int(before.get("count") or 1) + 1
            self.store.put(EVENTS, {**before, "count": count, "lastTimestamp": self.stamp})
            return
        self.store.put(
            EVENTS,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": name,
                    "namespace": space,
                    "uid": self._identities.uid(),
                    "creationTimestamp": self.stamp,
                },
                "involvedObject": {
                    "apiVersion": about["apiVersion"],
                    "kind": about["kind"],
                    "name": objects.name(about),
                    "namespace": objects.namespace(about),
                    "uid": objects.uid(about),
                    "resourceVersion": objects.meta(about).get("resourceVersion", ""),
                },
                "reason": reason,
                "message": message,
                "source": {"component": source},
                "reportingComponent": source,
                "reportingInstance": "",
                "firstTimestamp": self.stamp,
                "lastTimestamp": self.stamp,
                "count": 1,
                "type": kind,
            },
        )


def with_condition(
    conditions: list[Obj], kind: str, status: str, reason: str, message: str, now: str, **more: Any
) -> list[Obj]:
    """Conditions with one set; its transition time moves only when its status does."""
    old = next((one for one in conditions if one["type"] == kind), None)
    same = old is not None and old["status"] == status
    moment = old["lastTransitionTime"] if same and old else now
    new = {
        "type": kind,
        "status": status,
        "lastTransitionTime": moment,
        **({"reason": reason} if reason else {}),
        **({"message": message} if message else {}),
        **more,
    }
    if old is None:
        return [*conditions, new]
    return [new if one["type"] == kind else one for one in conditions]
