"""The embedded Kubernetes API in this process: objects in, objects out, and every request as whoever is meant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import orjson

from labs.services.kubernetes.app import create_app

Obj = dict[str, Any]
BEGIN = 1_796_000_000.0  # where the clock of every cluster here begins, in seconds since 1970
SPACE = "fraud"
APPLY = "application/apply-patch+yaml"
PLURALS = {
    "Namespace": "namespaces", "Pod": "pods", "Service": "services", "ConfigMap": "configmaps", "Secret": "secrets",
    "ServiceAccount": "serviceaccounts", "Deployment": "deployments", "ReplicaSet": "replicasets",
    "Job": "jobs", "Role": "roles", "RoleBinding": "rolebindings", "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings", "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets", "Node": "nodes", "Event": "events",
}  # fmt: skip
_RBAC = "rbac.authorization.k8s.io"
GROUPS = {
    "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "Job": "batch/v1", "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1", "Role": f"{_RBAC}/v1", "RoleBinding": f"{_RBAC}/v1",
    "ClusterRole": f"{_RBAC}/v1", "ClusterRoleBinding": f"{_RBAC}/v1",
}  # fmt: skip
OF_THE_CLUSTER = ("Namespace", "Node", "ClusterRole", "ClusterRoleBinding")


class Refused(Exception):
    """Attributes: code and message of the server's Status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Who:
    """Somebody who asks: a user by impersonation, or the administrator."""

    user: str = ""
    groups: tuple[str, ...] = ()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        if not self.user:
            return []
        every = [(b"impersonate-group", one.encode()) for one in self.groups]
        return [(b"impersonate-user", self.user.encode()), *every]


ADMIN = Who()


def account(space: str, name: str) -> Who:
    """A ServiceAccount, with the groups that the server gives it."""
    return Who(
        f"system:serviceaccount:{space}:{name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated"),
    )


class Kube:
    """A cluster of one check's own. Its clock stands still until it is told to move."""

    def __init__(self, folder: Path) -> None:
        self._app = create_app(folder, speed=0.0, start=BEGIN)
        self.inner = self._app.state.cluster
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self._loop.close()
        self.inner.close()

    def send(
        self,
        method: str,
        address: str,
        content: bytes = b"",
        kind: str = "application/json",
        *,
        token: str = "",
        who: Who = ADMIN,
    ) -> tuple[int, bytes]:
        """One request. Returns: status and body."""
        path, _, query = address.partition("?")
        headers = [
            (b"authorization", f"Bearer {token or self.inner.tokens.admin}".encode()),
            (b"content-type", kind.encode()),
            (b"user-agent", b"release"),
            *who.headers,
        ]
        scope = {
            "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(),
            "query_string": query.encode(), "headers": headers, "root_path": "", "scheme": "http",
            "http_version": "1.1", "server": ("127.0.0.1", 0), "client": ("127.0.0.1", 0),
        }  # fmt: skip
        status, parts = 0, list[bytes]()

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def take(message: Mapping[str, Any]) -> None:
            nonlocal status
            status = int(message.get("status", status))
            parts.append(bytes(message.get("body", b"")))

        self._loop.run_until_complete(self._app(scope, receive, take))  # type: ignore[arg-type]
        return status, b"".join(parts)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        who: Who = ADMIN,
        **query: Any,
    ) -> Any:
        """Raises: Refused."""
        content = b"" if body is None else orjson.dumps(body)
        address = quote(path, safe="/%") + (f"?{urlencode(query)}" if query else "")
        status, reply = self.send(method, address, content, kind, who=who)
        try:
            found = orjson.loads(reply)
        except orjson.JSONDecodeError:
            found = {"message": reply.decode(errors="replace")}
        if status >= 400:
            raise Refused(status, str(found.get("message", "")))
        return found

    def wait(self, seconds: float) -> None:
        """Let so much of the cluster's time pass."""
        self.ask("POST", "/labs/v1/clock", {"advance": seconds})

    def images(self, **stated: Any) -> None:
        """State how images behave, besides those that are stated already."""
        self.ask("PATCH", "/labs/v1/images", {"images": stated})

    def apply(self, things: Iterable[Obj]) -> None:
        """Server-side apply with strict fields, as a release pipeline does it.

        Raises: Refused; the message names the object.
        """
        for one in things:
            query = {"fieldManager": "release", "fieldValidation": "Strict", "force": "true"}
            try:
                self.ask("PATCH", path_of(one), one, APPLY, **query)
            except Refused as error:
                raise Refused(
                    error.code, f"{one['kind']} {one['metadata']['name']}: {error.message}"
                ) from None

    def create(self, thing: Obj, who: Who = ADMIN, **query: str) -> Obj:
        """Raises: Refused."""
        space = thing["metadata"].get("namespace", "default")
        found: Obj = self.ask("POST", path(thing["kind"], space), thing, who=who, **query)
        return found

    def get(self, kind: str, name: str, space: str = SPACE) -> Obj:
        """Raises: Refused, also when it is not there."""
        found: Obj = self.ask("GET", path(kind, space, name))
        return found

    def items(self, kind: str, space: str = SPACE) -> list[Obj]:
        return list(self.ask("GET", path(kind, space))["items"])

    def token(self, name: str, space: str = SPACE, seconds: int = 86_400) -> str:
        """A token of a ServiceAccount, as `kubectl create token` makes it."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        found = self.ask("POST", f"{path('ServiceAccount', space, name)}/token", body)
        return str(found["status"]["token"])


def path(kind: str, space: str, name: str = "", version: str = "") -> str:
    version = version or GROUPS.get(kind, "v1")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = "" if kind in OF_THE_CLUSTER else f"/namespaces/{space}"
    return f"{root}{within}/{PLURALS[kind]}" + (f"/{name}" if name else "")


def path_of(thing: Obj) -> str:
    meta = thing["metadata"]
    return path(thing["kind"], meta.get("namespace", "default"), meta["name"], thing["apiVersion"])


def in_order(things: Sequence[Obj]) -> list[Obj]:
    """Namespaces and accounts first, roles before bindings, workloads last."""
    first = ("Namespace", "ServiceAccount", "ClusterRole", "Role", "ConfigMap", "NetworkPolicy")
    return sorted(things, key=lambda one: first.index(one["kind"]) if one["kind"] in first else len(first))
