"""Real clients against the embedded Kubernetes API server in a process of its own: kubectl, Helm, the Python client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import kubernetes
import pytest
import yaml
from faulty import LAB_TOML, make_lab, make_work

from labs.grading import Grader
from labs.results import State

MANIFESTS = """
apiVersion: v1
kind: Namespace
metadata: {name: nukkad}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: nukkad}
data: {threshold: "0.8"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: scorer, namespace: nukkad}
spec:
  replicas: 3
  selector: {matchLabels: {app: scorer}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: scorer}}
    spec:
      containers:
        - name: app
          image: nukkad/scorer:1
          ports: [{name: http, containerPort: 8080}]
          envFrom: [{configMapRef: {name: settings}}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: scorer, namespace: nukkad}
spec:
  selector: {app: scorer}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: scorer, namespace: nukkad}
spec: {minAvailable: 2, selector: {matchLabels: {app: scorer}}}
"""


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int
    data: Path

    @property
    def kubeconfig(self) -> Path:
        return self.data / "kubeconfig"


def started(data: Path, speed: str = "1") -> Running:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    process = subprocess.Popen(
        [sys.executable, "-m", "labs.services.kubernetes", str(listener.fileno()), str(data), speed],
        pass_fds=[listener.fileno()],
    )
    port = listener.getsockname()[1]
    listener.close()
    # the socket listens already: the first answer comes when the server is up
    assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).text == "ok"
    return Running(process, port, data)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = started(tmp_path_factory.mktemp("kubernetes") / "data", "5")
    yield found
    found.process.terminate()
    assert found.process.wait(10) == 0


OLDEST = 27  # with 1.20, which Debian 12 has, half of these commands speak another language


class Kubectl:
    def __init__(self, server: Running, home: Path) -> None:
        program = shutil.which("kubectl")
        if program is None:
            pytest.skip("no kubectl on PATH")
        asked = [program, "version", "--client", "-o", "json"]
        version = json.loads(subprocess.run(asked, capture_output=True, text=True).stdout)["clientVersion"]
        if int(version["minor"].rstrip("+")) < OLDEST:
            pytest.skip(f"kubectl {version['gitVersion']} is too old: 1.{OLDEST} or newer")
        self._program, self._home = program, home
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(server.kubeconfig),
        }

    def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        done = subprocess.run(
            [self._program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self._home,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = self.run(*arguments, stdin=stdin)
        assert code == 0, f"kubectl {' '.join(arguments)}: {err}{out}"
        return out

    def refused(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = self.run(*arguments, stdin=stdin)
        assert code != 0, out
        return err


@pytest.fixture(scope="module")
def kubectl(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    return Kubectl(server, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def applied(kubectl: Kubectl) -> Kubectl:
    assert "deployment.apps/scorer created" in kubectl("apply", "-f", "-", stdin=MANIFESTS)
    kubectl("-n", "nukkad", "rollout", "status", "deployment/scorer", "--timeout=30s")
    return kubectl


IN = ("-n", "nukkad")


def test_apply_twice_changes_nothing_and_diff_shows_what_would(applied: Kubectl) -> None:
    again = applied("apply", "-f", "-", stdin=MANIFESTS)
    assert "deployment.apps/scorer unchanged" in again and "service/scorer unchanged" in again
    code, out, _ = applied.run("diff", "-f", "-", stdin=MANIFESTS.replace("scorer:1", "scorer:9"))
    assert code == 1 and "+        image: nukkad/scorer:9" in out
    assert applied.run("diff", "-f", "-", stdin=MANIFESTS.split("---")[2])[0] == 0


def test_get_and_describe(applied: Kubectl) -> None:
    out = applied(*IN, "get", "deployment,pods,service,endpoints,pdb")
    for words in ("deployment.apps/scorer", "3/3", "service/scorer", "80/TCP", "poddisruptionbudget"):
        assert words in out
    told = applied(*IN, "describe", "deployment", "scorer")
    assert "NewReplicaSetAvailable" in told and "Scaled up replica set scorer-" in told
    assert "Successfully assigned" in applied(*IN, "describe", "pods", "-l", "app=scorer")
    assert applied(*IN, "get", "pods", "-o", "jsonpath={.items[*].status.phase}") == "Running Running Running"
    assert "10.244." in applied(*IN, "describe", "service", "scorer")
    assert "Allowed disruptions:  1" in applied(*IN, "describe", "pdb", "scorer")
    assert "FIELD: maxSurge" in applied("explain", "deployment.spec.strategy.rollingUpdate.maxSurge")


def test_rollouts(applied: Kubectl) -> None:
    def image() -> str:
        return applied(
            *IN, "get", "deploy", "scorer", "-o", "jsonpath={.spec.template.spec.containers[0].image}"
        )

    applied(*IN, "set", "image", "deployment/scorer", "app=nukkad/scorer:2")
    applied(*IN, "rollout", "status", "deployment/scorer", "--timeout=30s")
    assert image() == "nukkad/scorer:2"
    applied(*IN, "annotate", "deployment/scorer", "kubernetes.io/change-cause=second image")
    history = applied(*IN, "rollout", "history", "deployment/scorer")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    assert "second image" in history
    applied(*IN, "rollout", "undo", "deployment/scorer")
    applied(*IN, "rollout", "status", "deployment/scorer", "--timeout=30s")
    assert image() == "nukkad/scorer:1"
    applied(*IN, "rollout", "restart", "deployment/scorer")
    applied(*IN, "rollout", "status", "deployment/scorer", "--timeout=30s")
    applied(*IN, "scale", "deployment/scorer", "--replicas=4")
    applied(*IN, "wait", "--for=jsonpath={.status.readyReplicas}=4", "deployment/scorer", "--timeout=30s")
    applied(*IN, "label", "deployment/scorer", "tier=web")
    assert "scorer" in applied(*IN, "get", "deploy", "-l", "tier=web", "-o", "name")
    applied(*IN, "scale", "deployment/scorer", "--replicas=3")


def test_server_side_apply_and_its_conflicts(applied: Kubectl) -> None:
    manifest = MANIFESTS.split("---")[1]
    applied("apply", "--server-side", "--field-manager=ci", "-f", "-", "--force-conflicts", stdin=manifest)
    changed = manifest.replace("0.8", "0.9")
    told = applied.refused("apply", "--server-side", "--field-manager=hand", "-f", "-", stdin=changed)
    assert 'conflict with "ci": .data.threshold' in told
    applied("apply", "--server-side", "--field-manager=hand", "--force-conflicts", "-f", "-", stdin=changed)
    assert applied(*IN, "get", "cm", "settings", "-o", "jsonpath={.data.threshold}") == "0.9"


def test_a_job_moves_to_server_side_apply(kubectl: Kubectl) -> None:
    """What the server adds to a Job belongs to nobody, so a change of the way of applying does not take it away."""
    job = """
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: default}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: "m:1"}]}}}
"""
    kubectl("apply", "-f", "-", stdin=job)
    code, out, err = kubectl.run("apply", "--server-side", "-f", "-", stdin=job)
    assert (code, out, err) == (0, "job.batch/migrate serverside-applied\n", "")
    kubectl("delete", "job", "migrate")


def test_typos_are_refused(applied: Kubectl) -> None:
    wrong = MANIFESTS.split("---")[2].replace("replicas", "replica")
    assert 'unknown field "spec.replica"' in applied.refused("apply", "-f", "-", stdin=wrong)
    told = applied.refused("create", "deployment", "UPPER", "--image=x")
    assert "a lowercase RFC 1123 subdomain must consist of" in told
    assert "the server doesn't have a resource type" in applied.refused("get", "statefulsets")


def test_typed_commands_speak_protobuf(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "typed")
    at = ("-n", "typed")
    kubectl(*at, "create", "deployment", "web", "--image=nginx:1", "--replicas=2", "--port=80")
    kubectl(*at, "expose", "deployment", "web", "--port=80", "--target-port=80")
    kubectl(*at, "create", "configmap", "c", "--from-literal=a=b")
    kubectl(*at, "create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl(*at, "create", "job", "j", "--image=work:1")
    kubectl(*at, "create", "pdb", "p", "--selector=app=web", "--min-available=1")
    kubectl(*at, "create", "ingress", "i", "--rule=shop.example/*=web:80")
    kubectl(*at, "create", "serviceaccount", "robot")
    kubectl(*at, "create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log")
    kubectl(*at, "create", "rolebinding", "reader", "--role=reader", "--serviceaccount=typed:robot")
    kubectl(*at, "wait", "--for=condition=complete", "job/j", "--timeout=30s")
    found = yaml.safe_load(kubectl(*at, "get", "role", "reader", "-o", "yaml"))
    assert found["rules"][0] == {
        "apiGroups": [""],
        "resources": ["pods", "pods/log"],
        "verbs": ["get", "list"],
    }
    kubectl("delete", "namespace", "typed", "--timeout=40s")


def test_access(kubectl: Kubectl, server: Running) -> None:
    kubectl("create", "namespace", "access")
    at = ("-n", "access")
    kubectl(*at, "create", "serviceaccount", "robot")
    kubectl(*at, "create", "rolebinding", "see", "--clusterrole=view", "--serviceaccount=access:robot")
    robot = "--as=system:serviceaccount:access:robot"
    assert kubectl(*at, "auth", "can-i", "list", "pods", robot).strip() == "yes"
    assert kubectl.run(*at, "auth", "can-i", "list", "secrets", robot)[:2] == (1, "no\n")
    assert kubectl.run("auth", "can-i", "list", "pods", "-n", "default", robot)[:2] == (1, "no\n")
    assert "pods/log" in kubectl(*at, "auth", "can-i", "--list", robot)
    token = kubectl(*at, "create", "token", "robot").strip()
    whoami = ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert kubectl("--token", token, *whoami) == "system:serviceaccount:access:robot"
    config = yaml.safe_load(server.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = token
    own = server.data.parent / "robot"
    own.write_text(yaml.safe_dump(config))
    told = kubectl.refused(*at, "--kubeconfig", str(own), "get", "secrets")
    assert 'User "system:serviceaccount:access:robot" cannot list resource "secrets"' in told
    kubectl(*at, "--kubeconfig", str(own), "get", "pods")


def test_drain_keeps_the_budget(applied: Kubectl) -> None:
    nodes = applied(*IN, "get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    applied("drain", nodes[0], "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=30s")
    assert "SchedulingDisabled" in applied("get", "node", nodes[0])
    applied("uncordon", nodes[0])
    applied(*IN, "rollout", "status", "deployment/scorer", "--timeout=30s")
    applied(*IN, "patch", "pdb", "scorer", "--type=merge", "-p", '{"spec": {"minAvailable": 3}}')
    nodes = applied(*IN, "get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    told = applied.refused("drain", nodes[0], "--timeout=3s", "--delete-emptydir-data")
    assert "Cannot evict pod as it would violate the pod's disruption budget" in told
    applied("uncordon", nodes[0])


def test_what_a_simulation_cannot_do_is_said(applied: Kubectl) -> None:
    for command in (["logs", "deployment/scorer"], ["exec", "deployment/scorer", "--", "ls"]):
        told = applied.refused(*IN, *command)
        assert "this embedded API server does not" in told and "docs/services.md" in told


def test_the_python_client(server: Running) -> None:
    api = kubernetes.config.new_client_from_config(str(server.kubeconfig))
    core, apps = kubernetes.client.CoreV1Api(api), kubernetes.client.AppsV1Api(api)
    core.create_namespace({"metadata": {"name": "python"}})
    labels = {"app": "web"}
    apps.create_namespaced_deployment(
        "python",
        {
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "a", "image": "a:1"}]},
                },
            },
        },
    )
    seen: set[str] = set()
    for event in kubernetes.watch.Watch().stream(core.list_namespaced_pod, "python", timeout_seconds=20):
        ready = [one.status for one in event["object"].status.conditions or [] if one.type == "Ready"]
        if ready == ["True"]:
            seen.add(event["object"].metadata.name)
        if len(seen) == 2:
            break
    assert len(seen) == 2
    apps.patch_namespaced_deployment("web", "python", {"spec": {"replicas": 1}})
    scale: Any = apps.read_namespaced_deployment_scale("web", "python")
    assert scale.spec.replicas == 1 and scale.status.selector == "app=web"
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.read_namespaced_config_map("none", "python")
    assert refused.value.status == 404
    plain = httpx.get(
        f"http://127.0.0.1:{server.port}/version",
        headers={"Authorization": api.configuration.auth_settings()["BearerToken"]["value"]},
    )
    assert plain.json()["gitVersion"].startswith("v1.32")


def test_helm(server: Running, tmp_path: Path) -> None:
    import helm_python as helm

    with (
        helm.Chart.create("web", tmp_path) as chart,
        helm.Config(kubeconfig_path=server.kubeconfig, namespace="helm") as config,
    ):
        made = config.install(
            chart, "demo", {"replicaCount": 2}, create_namespace=True, wait="watcher", timeout=30
        )
        assert (made["revision"], made["status"]) == (1, "deployed")
        config.upgrade(chart, "demo", {"replicaCount": 3}, wait="watcher", timeout=30)
        assert [one["status"] for one in config.history("demo")] == ["superseded", "deployed"]
        assert config.get_values("demo") == {"replicaCount": 3}
        config.rollback("demo", version=1, wait="watcher", timeout=30)
        api = kubernetes.client.AppsV1Api(kubernetes.config.new_client_from_config(str(server.kubeconfig)))
        assert api.read_namespaced_deployment("demo-web", "helm").spec.replicas == 2
        config.uninstall("demo", wait="watcher", timeout=30)
        assert api.list_namespaced_deployment("helm").items == [] and config.list() == []


def test_the_kubeconfig_is_private(server: Running) -> None:
    for name in ("kubeconfig", "server.key"):
        assert stat.S_IMODE((server.data / name).stat().st_mode) == 0o600


CHECK = '''
import httpx
import yaml

from labs.checks import check


@check(points=1)
def drives_a_cluster(work, services):
    """drives a cluster from a check, on a clock of its own"""
    config = yaml.safe_load(open(services.up("kubernetes").url))
    address = config["clusters"][0]["cluster"]["server"].replace("https:", "http:")
    headers = {"Authorization": "Bearer " + config["users"][0]["user"]["token"]}
    with httpx.Client(base_url=address, headers=headers) as client:
        client.post("/labs/v1/clock", json={"speed": 0}).raise_for_status()
        pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
        client.post("/api/v1/namespaces/default/pods", json=pod).raise_for_status()
        client.post("/labs/v1/clock", json={"advance": 3600}).raise_for_status()
        phase = client.get("/api/v1/namespaces/default/pods/x").json()["status"]["phase"]
    if phase != "Running":
        work.run("true").fail(wanted="Running", got=phase)
'''


def test_a_check_has_a_cluster_of_its_own(tmp_path: Path) -> None:
    """Forked from the warm parent and held like a learner's code."""
    lab = make_lab(
        tmp_path / "course", CHECK, LAB_TOML.replace('"numpy"', '"labs.services.kubernetes.server"')
    )
    work = make_work(tmp_path / "work")
    with Grader(lab.folder.parent.parent, warm=lab.warm) as grader:
        result = grader.grade(lab, work)
    assert [check.state for check in result.checks] == [State.PASSED], result


def test_a_killed_server_comes_back_with_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = started(data)
    token = yaml.safe_load((data / "kubeconfig").read_text())["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    path = "/api/v1/namespaces/default/configmaps"
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers) as client:
        for number in range(30):
            assert client.post(path, json={"metadata": {"name": f"c{number}"}}).status_code == 201
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server = started(data)
    begin = time.monotonic()
    found = httpx.get(f"http://127.0.0.1:{server.port}{path}", headers=headers).json()
    assert len(found["items"]) == 31 and time.monotonic() - begin < 30
    server.process.terminate()
    assert server.process.wait(10) == 0
