"""A Kubernetes cluster as a check sees it: objects in, objects out. Nothing in `Cluster` needs the simulation."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from connections import Connection
from labs.services.kubernetes import objects

Obj = dict[str, Any]
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
_PLURALS = {
    "Namespace": "namespaces", "Node": "nodes", "Pod": "pods", "Service": "services", "ConfigMap": "configmaps",
    "Secret": "secrets", "ServiceAccount": "serviceaccounts", "Event": "events", "Deployment": "deployments",
    "ReplicaSet": "replicasets", "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets", "NetworkPolicy": "networkpolicies", "Ingress": "ingresses",
    "EndpointSlice": "endpointslices",
}  # fmt: skip
_VERSIONS = {
    "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "EndpointSlice": "discovery.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
}  # fmt: skip


class Refused(Exception):
    """Attributes: code and message of the server's Status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Cluster:
    """A cluster at the other end of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: Any
    ) -> Any:
        """Raises: Refused."""
        content = None if body is None else orjson.dumps(body)
        address = f"{path}?{urlencode(query)}" if query else path
        status, reply = self._connection.send(method, address, content, kind)
        found = orjson.loads(reply)
        if status >= 400:
            raise Refused(status, str(found.get("message", "")))
        return found

    @staticmethod
    def path(kind: str, space: str, name: str = "", version: str = "") -> str:
        version = version or _VERSIONS.get(kind, "v1")
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        within = "" if kind in ("Namespace", "Node") else f"/namespaces/{space}"
        whole = f"{root}{within}/{_PLURALS[kind]}" + (f"/{quote(name, safe='')}" if name else "")
        return quote(whole, safe="/%")

    def apply(self, things: Iterable[Obj], dry_run: bool = False) -> None:
        """Server-side apply with strict fields, as a release pipeline does it; it takes fields over by force.

        Raises: Refused; the message names the object.
        """
        for one in things:
            meta = one["metadata"]
            path = self.path(one["kind"], meta.get("namespace", "default"), meta["name"], one["apiVersion"])
            query = {"fieldManager": "release", "fieldValidation": "Strict", "force": "true"}
            try:
                self.ask("PATCH", path, one, APPLY, **query, **({"dryRun": "All"} if dry_run else {}))
            except Refused as error:
                raise Refused(error.code, f"{one['kind']} {meta['name']}: {error.message}") from None

    def create(self, thing: Obj, **query: str) -> Obj:
        """Raises: Refused."""
        space = thing["metadata"].get("namespace", "default")
        return self.ask("POST", self.path(thing["kind"], space, version=thing["apiVersion"]), thing, **query)

    def get(self, kind: str, space: str, name: str) -> Obj:
        """Raises: Refused, also when it is not there."""
        return self.ask("GET", self.path(kind, space, name))

    def items(self, kind: str, space: str = "", **query: str) -> list[Obj]:
        return self.ask("GET", self.path(kind, space), **query)["items"]

    def patch(self, kind: str, space: str, name: str, body: Any, how: str = MERGE) -> Obj:
        return self.ask("PATCH", self.path(kind, space, name), body, how)

    def delete(self, kind: str, space: str, name: str) -> None:
        self.ask("DELETE", self.path(kind, space, name))

    def evict(self, pod: Obj) -> bool:
        """Ask for an eviction, as a drain does; False if a disruption budget does not allow it now."""
        meta = pod["metadata"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        }
        try:
            self.ask("POST", f"{self.path('Pod', meta['namespace'], meta['name'])}/eviction", body)
        except Refused as error:
            if error.code == 429:
                return False
            raise
        return True

    def secret(self, space: str, name: str, **values: str) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        meta = {"name": name, "namespace": space}
        self.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}])

    def environment(self, pod: Obj) -> dict[str, str]:
        """The variables that the processes of a pod's containers find, as a kubelet puts them together."""
        space, found = pod["metadata"]["namespace"], {}
        for container in pod["spec"]["containers"]:
            for source in container.get("envFrom") or []:
                for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                    if key in source:
                        data = self._data(kind, space, source[key]["name"])
                        found.update(
                            {f"{source.get('prefix', '')}{name}": value for name, value in data.items()}
                        )
            for one in container.get("env") or []:
                value = one.get("value", "")
                for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                    if key in (one.get("valueFrom") or {}):
                        meant = one["valueFrom"][key]
                        value = self._data(kind, space, meant["name"]).get(meant["key"], "")
                found[one["name"]] = value
        return found

    def _data(self, kind: str, space: str, name: str) -> dict[str, str]:
        try:
            data = self.get(kind, space, name).get("data") or {}
        except Refused:
            return {}
        return (
            {key: base64.b64decode(value).decode() for key, value in data.items()}
            if kind == "Secret"
            else data
        )


class Simulated(Cluster):
    """The embedded one: its clock moves when told, and the grader says how images behave."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._clock(speed=0)

    def _clock(self, **body: float) -> None:
        found = self.ask("POST", "/labs/v1/clock", body)
        self.now: float = found["seconds"]
        self._next: str | None = found["next"]

    def step(self, most: float) -> None:
        """Wait until something happens by itself, for at least a second and at most so many."""
        self.wait(0)  # what was just done may have moved the next moment
        coming = objects.seconds(self._next) - self.now if self._next else most
        self.wait(min(most, max(1.0, coming)))

    def wait(self, seconds: float) -> None:
        """Let so much of the cluster's time pass."""
        self._clock(advance=seconds)

    def images(self, **stated: Any) -> None:
        """State how images behave, besides those that are stated already."""
        self.ask("PATCH", "/labs/v1/images", {"images": stated})

    def load(self, space: str, labels: Obj, cores: float) -> None:
        """State what the pods with these labels use together, in CPU cores."""
        one = {"namespace": space, "metric": "cpu", "selector": labels, "total": f"{round(cores * 1000)}m"}
        self.ask("PUT", "/labs/v1/metrics", {"metrics": [one]})
