"""The embedded API server in this process: what it says of an object, without storing it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from labs.services.kubernetes.app import create_app
from manifests import Obj, meta, name_of

BEGIN = 1_796_000_000.0
"""Where its clock stands, in seconds since 1970: every grading is the same."""
_PLURALS = {
    "ConfigMap": "configmaps", "Secret": "secrets", "Service": "services", "ServiceAccount": "serviceaccounts",
    "Pod": "pods", "Deployment": "deployments", "Job": "jobs", "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets", "Ingress": "ingresses", "NetworkPolicy": "networkpolicies",
    "Role": "roles", "RoleBinding": "rolebindings", "Lease": "leases",
}  # fmt: skip


class Server:
    """An embedded server whose clock stands still."""

    def __init__(self, folder: Path) -> None:
        self._app = create_app(folder, speed=0.0, start=BEGIN)
        self._token = self._app.state.cluster.tokens.admin
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self._loop.close()
        self._app.state.cluster.close()

    def make_namespace(self, name: str) -> None:
        self._send("POST", "/api/v1/namespaces", "", {"metadata": {"name": name}})

    def refusal(self, thing: Obj, space: str) -> str:
        """What the server says against an object, by server-side apply, strictly and without effect; "" if nothing."""
        kind, version = str(thing.get("kind")), str(thing.get("apiVersion"))
        who = f"{kind} {name_of(thing)}"
        if kind not in _PLURALS:
            return f"{who}: a namespace of this cluster holds no such kind"
        if meta(thing).get("namespace", space) != space:
            return f"{who}: it is not in the namespace of the release"
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        path = f"{root}/namespaces/{space}/{_PLURALS[kind]}/{quote(name_of(thing), safe='')}"
        query = {"fieldManager": "helm", "fieldValidation": "Strict", "force": "true", "dryRun": "All"}
        status, body = self._send("PATCH", path, urlencode(query), thing)
        return "" if status < 400 else f"{who}: {str(body.get('message', status))[:300]}"

    def _send(self, method: str, path: str, query: str, body: Obj) -> tuple[int, Obj]:
        kind = b"application/json" if method == "POST" else b"application/apply-patch+yaml"
        headers = [(b"authorization", f"Bearer {self._token}".encode()), (b"content-type", kind)]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": headers, "root_path": "", "scheme": "http", "http_version": "1.1",
            "server": ("127.0.0.1", 0), "client": ("127.0.0.1", 0),
        }  # fmt: skip
        content = orjson.dumps(body)
        status, parts = 0, list[bytes]()

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def take(message: dict[str, Any]) -> None:
            nonlocal status
            status = int(message.get("status", status))
            parts.append(bytes(message.get("body", b"")))

        self._loop.run_until_complete(self._app(scope, receive, take))  # type: ignore[arg-type]
        return status, orjson.loads(b"".join(parts))
