"""Measures the embedded Kubernetes API server (labs.services.kubernetes). Run it on idle cores.

python benchmarks/kubernetes_api.py            # all
python benchmarks/kubernetes_api.py start      # cold start to the first answer, against a bare uvicorn application
python benchmarks/kubernetes_api.py list       # 1,000 ConfigMaps and 1,000 Pods, against Starlette sending the bytes
python benchmarks/kubernetes_api.py apply      # 200 manifests by HTTP, and by one `kubectl apply`
python benchmarks/kubernetes_api.py clock      # an hour of a busy cluster's time

No peer does the same without Docker, so each figure stands beside what it could not beat: the same web server doing
nothing else. All figures are medians.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).resolve().parents[1]
BARE = """
import socket, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
body = open(sys.argv[2], "rb").read() if len(sys.argv) > 2 else b"ok"
async def answer(request):
    return Response(body, media_type="application/json")
app = Starlette(routes=[Route("/{path:path}", answer)])
uvicorn.run(app, fd=int(sys.argv[1]), log_level="error", loop="asyncio")
"""


@contextmanager
def running(arguments: list[str], *rest: str) -> Iterator[tuple[int, float]]:
    """A server on a listening socket: (port, seconds until its first answer)."""
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    begin = time.perf_counter()
    command = [sys.executable, *arguments, str(listener.fileno()), *rest]
    process = subprocess.Popen(command, pass_fds=[listener.fileno()], cwd=ROOT)
    try:
        httpx.get(f"http://127.0.0.1:{listener.getsockname()[1]}/readyz", timeout=60)
        yield listener.getsockname()[1], time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait()
        listener.close()


@contextmanager
def cluster(data: Path, speed: str = "0") -> Iterator[httpx.Client]:
    with running(["-m", "labs.services.kubernetes"], str(data), speed) as (port, _):
        token = yaml.safe_load((data / "kubeconfig").read_text())["users"][0]["user"]["token"]
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            yield client


def timed(act: Callable[[], Any], times: int) -> float:
    walls = []
    for _ in range(times):
        begin = time.perf_counter()
        act()
        walls.append(time.perf_counter() - begin)
    return statistics.median(walls)


def told(what: str, seconds: float, peer: str = "", other: float = 0.0) -> None:
    beside = f"   {peer} {other * 1000:.1f} ms; {seconds / other:.1f} times" if peer else ""
    print(f"{what:44} {seconds * 1000:8.1f} ms{beside}")


def start(folder: Path) -> None:
    ours, bare, again = [], [], []
    for number in range(5):
        with running(["-m", "labs.services.kubernetes"], str(folder / f"start{number}")) as (_, seconds):
            ours.append(seconds)
        with running(["-m", "labs.services.kubernetes"], str(folder / f"start{number}")) as (_, seconds):
            again.append(seconds)
        with running(["-c", BARE]) as (_, seconds):
            bare.append(seconds)
    told("ready, with an empty folder", statistics.median(ours), "bare uvicorn", statistics.median(bare))
    told("ready, with the data of an earlier run", statistics.median(again))


def pod(name: str) -> dict[str, Any]:
    container = {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": "1m"}}}
    return {"metadata": {"name": name, "labels": {"app": "x"}}, "spec": {"containers": [container]}}


def lists(folder: Path) -> None:
    with cluster(folder / "lists") as client:
        nodes = client.get("/api/v1/nodes").json()["items"]
        room = [{"op": "replace", "path": "/status/allocatable/pods", "value": "500"}]
        for node in nodes:
            client.patch(
                f"/api/v1/nodes/{node['metadata']['name']}/status",
                content=json.dumps(room),
                headers={"Content-Type": "application/json-patch+json"},
            ).raise_for_status()
        base = "/api/v1/namespaces/default"
        for number in range(1000):
            body = {"metadata": {"name": f"c{number}"}, "data": {"a": "b" * 200}}
            client.post(f"{base}/configmaps", json=body).raise_for_status()
        begin = time.perf_counter()
        for number in range(700):
            client.post(f"{base}/pods", json=pod(f"p{number}")).raise_for_status()
        print(
            f"{'a pod made, scheduled and started':44} {(time.perf_counter() - begin) / 700 * 1000:8.1f} ms"
        )
        table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        for what, path, headers in (
            ("list 1,000 ConfigMaps", f"{base}/configmaps", {}),
            ("list 700 Pods", f"{base}/pods", {}),
            ("list 700 Pods as a table", f"{base}/pods", table),
            ("list Pods by a label that one has", f"{base}/pods?labelSelector=app%3Dy", {}),
        ):
            reply = client.get(path, headers=headers)
            file = folder / "body"
            file.write_bytes(reply.content)
            seconds = timed(lambda path=path, headers=headers: client.get(path, headers=headers), 15)  # type: ignore[misc]
            with running(["-c", BARE], str(file)) as (port, _), httpx.Client() as plain:
                other = timed(lambda port=port, plain=plain: plain.get(f"http://127.0.0.1:{port}/x"), 15)  # type: ignore[misc]
            told(f"{what} ({len(reply.content) // 1024} KiB)", seconds, "its bytes alone", other)


def manifests() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(50):
        name, labels = f"app{number}", {"app": f"app{number}"}
        template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
        selector = {"matchLabels": labels}
        ports = [{"port": 80, "targetPort": 8080}]
        found += [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": labels, "ports": ports},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {"replicas": 2, "selector": selector, "template": template},
            },
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": name},
                "spec": {"minAvailable": 1, "selector": selector},
            },
        ]
    return found


PLACES = {
    "ConfigMap": "/api/v1/namespaces/default/configmaps",
    "Service": "/api/v1/namespaces/default/services",
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
}


def applied(folder: Path) -> None:
    walls: dict[str, list[float]] = {"http": [], "kubectl": [], "again": []}
    program = shutil.which("kubectl")
    for number in range(3):
        with cluster(folder / f"http{number}") as client:
            begin = time.perf_counter()
            for one in manifests():
                path = f"{PLACES[one['kind']]}/{one['metadata']['name']}?fieldManager=bench"
                kind = {"Content-Type": "application/apply-patch+yaml"}
                client.patch(path, content=json.dumps(one), headers=kind).raise_for_status()
            walls["http"].append(time.perf_counter() - begin)
        if program:
            data = folder / f"kubectl{number}"
            with cluster(data):
                text = yaml.safe_dump_all(manifests())
                for key in ("kubectl", "again"):
                    begin = time.perf_counter()
                    environment = {
                        "PATH": os.environ["PATH"],
                        "HOME": str(folder),
                        "KUBECONFIG": str(data / "kubeconfig"),
                    }
                    command = [program, "apply", "-f", "-"]
                    subprocess.run(
                        command, input=text, text=True, env=environment, check=True, capture_output=True
                    )
                    walls[key].append(time.perf_counter() - begin)
    told("200 manifests, server-side apply by HTTP", statistics.median(walls["http"]))
    if program:
        told("200 manifests, one `kubectl apply`", statistics.median(walls["kubectl"]))
        told("the same once more", statistics.median(walls["again"]))


def clock(folder: Path) -> None:
    with cluster(folder / "clock") as client:
        client.put("/labs/v1/images", json={"images": {"app:1": {"crash_after": 30}}})
        for one in manifests():
            client.post(PLACES[one["kind"]], json=one).raise_for_status()
        seconds = timed(lambda: client.post("/labs/v1/clock", json={"advance": 600}).raise_for_status(), 6)
        told("10 minutes of 100 pods that crash every 30 s", seconds)


def main() -> None:
    parts = {"start": start, "list": lists, "apply": applied, "clock": clock}
    chosen = sys.argv[1:] or list(parts)
    with tempfile.TemporaryDirectory() as name:
        for one in chosen:
            parts[one](Path(name))


if __name__ == "__main__":
    main()
