"""Endpoints and EndpointSlices: the addresses of a Service's ready pods.

Source: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from collections.abc import Iterable

from labs.services.kubernetes import objects, selectors
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.controllers.probes import port_number
from labs.services.kubernetes.controllers.replicaset import is_ready
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import ENDPOINTS, PODS, SERVICES, SLICES, Resource
from labs.services.kubernetes.store import Change, Key

_SLICE = "endpointslice-controller.k8s.io"
_SERVICE = "kubernetes.io/service-name"


def ports_of(service: Obj, pod: Obj) -> list[Obj] | None:
    """The service's ports as this pod has them; None if it lacks a named one."""
    found = []
    for one in objects.spec(service).get("ports") or []:
        numbers = [port_number(each, one["targetPort"]) for each in pod["spec"]["containers"]]
        number = next((each for each in numbers if each is not None), None)
        if number is None:
            return None
        found.append(
            {
                **({"name": one["name"]} if one.get("name") else {}),
                "port": number,
                "protocol": one["protocol"],
            }
        )
    return found


def counts(pod: Obj) -> bool:
    state = objects.status(pod)
    return bool(state.get("podIP")) and state.get("phase") not in ("Succeeded", "Failed")


def _seen(pod: Obj) -> tuple[object, ...]:
    """All of a pod that endpoints show."""
    return (
        objects.labels(pod),
        objects.status(pod).get("podIP"),
        counts(pod),
        is_ready(pod),
        objects.deleting(pod),
    )


class EndpointsController:
    name = "endpointslice-controller"

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        thing = change.thing
        space = objects.namespace(thing)
        if change.resource is SERVICES:
            return [(space, objects.name(thing))]
        if change.resource is not PODS:
            return []
        if change.what == "MODIFIED" and _seen(change.before or {}) == _seen(thing):
            return []
        seen = [objects.labels(thing), objects.labels(change.before or {})]
        return [
            (space, objects.name(one))
            for one in hands.store.every(SERVICES, space)
            if any(selectors.matches_map(objects.spec(one).get("selector"), labels) for labels in seen)
        ]

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        service = hands.get(SERVICES, *key)
        slice_name = f"{key[1]}-1"
        if service is None:
            for resource, name in ((ENDPOINTS, key[1]), (SLICES, slice_name)):
                old = hands.get(resource, key[0], name)
                if old is not None and objects.labels(old).get("labs/managed") != "false":
                    hands.delete(resource, old, self.name)
            return None
        selector = objects.spec(service).get("selector")
        if not selector or objects.spec(service).get("type") == "ExternalName":
            return None
        pods = [
            pod
            for pod in hands.store.every(PODS, key[0])
            if selectors.matches_map(selector, objects.labels(pod)) and counts(pod)
        ]
        self._write(ENDPOINTS, service, key[1], _endpoints(service, pods), hands)
        self._write(SLICES, service, slice_name, _slice(service, pods), hands)
        return None

    @staticmethod
    def _write(resource: Resource, service: Obj, name: str, content: Obj, hands: Hands) -> None:
        space = objects.namespace(service)
        labels = dict(objects.labels(service))
        if resource is SLICES:
            labels.update({_SERVICE: objects.name(service), "endpointslice.kubernetes.io/managed-by": _SLICE})
        before = hands.get(resource, space, name)
        if before is None:
            meta: Obj = {"name": name, "namespace": space, "labels": labels}
            if resource is SLICES:
                meta["ownerReferences"] = [objects.owner_reference(service)]
            body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **content}
            hands.create(resource, space, body, "endpointslice-controller")
            return
        after = {**before, **content, "metadata": {**before["metadata"], "labels": labels}}
        if resource is ENDPOINTS and "subsets" not in content:
            after.pop("subsets", None)
        if after != before:
            if resource.generation and content != {key: before.get(key) for key in content}:
                after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
            hands.put(resource, after)


def _reference(pod: Obj) -> Obj:
    return {
        "kind": "Pod",
        "name": objects.name(pod),
        "namespace": objects.namespace(pod),
        "uid": objects.uid(pod),
    }


def _endpoints(service: Obj, pods: list[Obj]) -> Obj:
    every = bool(objects.spec(service).get("publishNotReadyAddresses"))
    groups: dict[str, Obj] = {}
    for pod in pods:
        ports = ports_of(service, pod)
        if ports is None or (objects.deleting(pod) and not every):
            continue
        subset = groups.setdefault(repr(ports), {"addresses": [], "notReadyAddresses": [], "ports": ports})
        address = {
            "ip": pod["status"]["podIP"],
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": _reference(pod),
        }
        subset["addresses" if every or is_ready(pod) else "notReadyAddresses"].append(address)
    subsets = [{key: value for key, value in one.items() if value} for one in groups.values()]
    return {"subsets": subsets} if subsets else {}


def _slice(service: Obj, pods: list[Obj]) -> Obj:
    every = bool(objects.spec(service).get("publishNotReadyAddresses"))
    found, ports = [], list[Obj]()
    for pod in pods:
        own = ports_of(service, pod)
        if own is None:
            continue
        ports = ports or own
        ready, ending = is_ready(pod), objects.deleting(pod)
        found.append(
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {
                    "ready": every or (ready and not ending),
                    "serving": ready,
                    "terminating": ending,
                },
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": _reference(pod),
            }
        )
    ports = [{"name": "", **one} for one in ports]  # kubectl reads the name of every port
    return {"addressType": "IPv4", "endpoints": found, "ports": ports}
