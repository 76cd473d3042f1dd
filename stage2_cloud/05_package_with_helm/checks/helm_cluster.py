"""The cluster of KUBECONFIG, as `helm_inside.py` sees it from the sandbox: requests, Helm's connection, watches."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import helm_python as helm

Obj = dict[str, Any]
JSON = "application/json"
KINDS = {
    "configmaps": "/api/v1", "secrets": "/api/v1", "services": "/api/v1", "pods": "/api/v1", "endpoints": "/api/v1",
    "serviceaccounts": "/api/v1", "deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1", "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1", "ingresses": "/apis/networking.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1", "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}  # fmt: skip
TICK, TICKS = 30, 0.1  # seconds of the cluster, in seconds of this machine
WATCHED = ("pods", "jobs", "configmaps", "deployments")


class Cluster:
    """The API server of KUBECONFIG, as its administrator."""

    def __init__(self) -> None:
        body = helm.values_from_yaml(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
        self._place = urlsplit(body["clusters"][0]["cluster"]["server"])
        self._token = body["users"][0]["user"]["token"]
        self._connection = self._connect()
        self._helms: dict[str, helm.Config] = {}
        self.seen: list[Obj] = []
        self._jobs: set[str] = set()  # those that are not over

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._place.hostname or "", self._place.port, timeout=100)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Any = None,
        kind: str = JSON,
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, kind: str = JSON) -> Obj:
        reply = self._send(self._connection, method, path, body, kind)
        found: Obj = json.loads(reply.read())
        if reply.status >= 400:
            raise RuntimeError(found.get("message", ""))
        return found

    def helm(self, space: str) -> helm.Config:
        if space not in self._helms:
            self._helms[space] = helm.Config(
                kubeconfig_path=os.environ["KUBECONFIG"], namespace=space, qps=1000
            )
        return self._helms[space]

    def watch(self) -> None:
        """Keep everything that happens, and let time pass while a Job runs: Helm waits for the Jobs of its hooks."""
        self.ask("POST", "/labs/v1/clock", {"speed": 0})
        for kind in WATCHED:
            threading.Thread(target=self._watch, args=(kind,), daemon=True).start()
        threading.Thread(target=self._tick, daemon=True).start()

    def _watch(self, kind: str) -> None:
        reply = self._send(self._connect(), "GET", f"{KINDS[kind]}/{kind}?watch=true")
        while line := reply.readline():  # until this process ends
            event = json.loads(line)
            thing = event["object"]
            thing["metadata"].pop("managedFields", None)
            self.seen.append({"type": event["type"], "kind": kind, "object": thing})
            if kind == "jobs":
                ended = {"Complete", "Failed"} & {
                    one["type"] for one in thing["status"].get("conditions") or []
                }
                over = ended or event["type"] == "DELETED"
                (self._jobs.discard if over else self._jobs.add)(thing["metadata"]["uid"])

    def _tick(self) -> None:
        connection = self._connect()
        while True:
            time.sleep(TICKS)
            if self._jobs:
                self._send(connection, "POST", "/labs/v1/clock", {"advance": TICK}).read()

    def version(self) -> int:
        return int(self.ask("GET", "/api/v1/namespaces")["metadata"]["resourceVersion"])
