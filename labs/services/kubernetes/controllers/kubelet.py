"""The simulated kubelet of all nodes: gives pods addresses, moves their containers, and ends them with grace.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from labs.services.kubernetes import objects
from labs.services.kubernetes.controllers import containers
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.controllers.hooks import pre_stop_seconds
from labs.services.kubernetes.controllers.probes import NEVER
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import CONFIGMAPS, NODES, PODS, SECRETS, Resource
from labs.services.kubernetes.store import Change, Key

WHO = "kubelet"
_KINDS = {"configMap": CONFIGMAPS, "secret": SECRETS}


class Kubelet:
    name = WHO

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        space = objects.namespace(change.thing)
        if (
            change.resource is PODS
            and change.what != "DELETED"
            and objects.spec(change.thing).get("nodeName")
        ):
            return [(space, objects.name(change.thing))]
        if change.resource in (CONFIGMAPS, SECRETS):
            return [
                (space, objects.name(pod))
                for pod in hands.store.every(PODS, space)
                if objects.status(pod).get("phase") == "Pending" and objects.spec(pod).get("nodeName")
            ]
        return []

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        pod = hands.get(PODS, *key)
        if pod is None or not objects.spec(pod).get("nodeName"):
            return None
        if objects.deleting(pod):
            return self._end(pod, hands)
        if objects.status(pod).get("phase") in ("Succeeded", "Failed"):
            return None
        pod = self._address(pod, hands)
        found = containers.step(pod, hands.now, _facts(pod, hands))
        changed = found.status != objects.status(pod)
        hands.set_status(PODS, pod, found.status)
        if changed:
            for kind, reason, message in found.events:
                hands.event(pod, kind, reason, message, WHO)
        return None if found.again == NEVER else found.again

    @staticmethod
    def _address(pod: Obj, hands: Hands) -> Obj:
        state = objects.status(pod)
        if state.get("podIP"):
            return pod
        node = hands.get(NODES, "", pod["spec"]["nodeName"])
        if node is None:
            return pod
        host = next(
            (
                one["address"]
                for one in objects.status(node).get("addresses") or []
                if one["type"] == "InternalIP"
            ),
            "",
        )
        if pod["spec"].get("hostNetwork"):
            address = host
        else:
            used = {objects.status(one).get("podIP") for one in hands.store.every(PODS)}
            free = ipaddress.ip_network(node["spec"]["podCIDR"]).hosts()
            address = next((text for one in free if (text := str(one)) not in used), "")
            if not address:
                hands.event(pod, "Warning", "FailedCreatePodSandBox", "no free address on the node", WHO)
                return pod
        state = {
            **state,
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": hands.stamp,
        }
        return hands.put(PODS, {**pod, "status": state})

    @staticmethod
    def _end(pod: Obj, hands: Hands) -> float | None:
        meta = pod["metadata"]
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        asked = objects.seconds(meta["deletionTimestamp"]) - grace
        runs = objects.status(pod).get("phase") == "Running"
        stops = asked + min(grace, _stop_seconds(pod, hands)) if runs else asked
        if hands.now < stops:
            return stops
        if meta.get("finalizers"):
            left = {**pod, "metadata": {**meta, "deletionGracePeriodSeconds": 0}}
            if meta.get("deletionGracePeriodSeconds"):
                hands.put(PODS, left)
            return None
        for one in pod["spec"]["containers"] if runs else []:
            hands.event(pod, "Normal", "Killing", f"Stopping container {one['name']}", WHO)
        hands.remove(PODS, pod)
        return None


def _stop_seconds(pod: Obj, hands: Hands) -> float:
    """From the beginning of the end until the last container is gone: its preStop hook, then its own time."""
    return max(
        pre_stop_seconds(one) + hands.surroundings.behaviour(one["image"]).stop_seconds
        for one in pod["spec"]["containers"]
    )


def _facts(pod: Obj, hands: Hands) -> containers.Facts:
    space = objects.namespace(pod)
    mounts = next((text for text in _mount_problems(pod, hands) if text), "")

    def missing(container: Obj) -> tuple[str, str] | None:
        for resource, name, key in _references(container):
            found = hands.get(resource, space, name)
            if found is None:
                return "CreateContainerConfigError", f'{resource.singular} "{name}" not found'
            if key and key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
                return (
                    "CreateContainerConfigError",
                    f"couldn't find key {key} in {resource.kind} {space}/{name}",
                )
        return None

    return containers.Facts(hands.surroundings.behaviour, missing, mounts)


def _references(container: Obj) -> Iterator[tuple[Resource, str, str]]:
    """ConfigMaps and Secrets that a container's environment needs: (kind, name, key or "")."""
    for one in container.get("envFrom") or []:
        for field, resource in (("configMapRef", CONFIGMAPS), ("secretRef", SECRETS)):
            if field in one and not one[field].get("optional"):
                yield resource, one[field].get("name") or "", ""
    for one in container.get("env") or []:
        source = one.get("valueFrom") or {}
        for field, resource in (("configMapKeyRef", CONFIGMAPS), ("secretKeyRef", SECRETS)):
            if field in source and not source[field].get("optional"):
                yield resource, source[field].get("name") or "", source[field]["key"]


def _mount_problems(pod: Obj, hands: Hands) -> Iterator[str]:
    for volume in pod["spec"].get("volumes") or []:
        for field, resource in _KINDS.items():
            source = volume.get(field)
            if source and not source.get("optional"):
                name = source.get("secretName") or source.get("name") or ""
                found = hands.get(resource, objects.namespace(pod), name)
                about = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
                if found is None:
                    yield f'{about}{resource.singular} "{name}" not found'
                else:
                    data = {**(found.get("data") or {}), **(found.get("binaryData") or {})}
                    for item in source.get("items") or []:
                        if item["key"] not in data:
                            yield f"{about}references non-existent config key: {item['key']}"
