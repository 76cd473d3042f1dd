"""docker-compose.yml on a real engine: up until all is healthy, used as a learner would, down until nothing is left.

Run by `make test-docker`, never by `make test`: it needs a Docker engine and some minutes. An image that can be pulled
is used as it is. For one that cannot, a stand-in is made (infra/docker/), which needs root and debootstrap; what has no
stand-in reads "could not check". Containers, volumes and networks belong to a project of their own; images stay, for
the next run.

LABS_NO_PULL=1     do not even try to pull
LABS_WHEELS=…      a folder with every wheel of infra/images/course/requirements.lock
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
import redis
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "labs-stand-in"
PULL_SECONDS, READY_SECONDS = 300, 300
STAND_INS = ("postgres", "redis", "prometheus", "alertmanager")
MOTO = (
    "moto",
    "responses",
    "xmltodict.py",
    "py_partiql_parser",
)  # what the course's image does not have already


def docker(*words: str, seconds: float = 900, **more: Any) -> str:
    done = subprocess.run(
        ["docker", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        **more,
    )
    assert done.returncode == 0, f"docker {' '.join(words)}:\n{done.stdout[-4000:]}"
    return done.stdout


@functools.cache
def compose_command() -> tuple[str, ...]:
    for command in (("docker", "compose"), ("docker-compose",)):
        if (
            shutil.which(command[0])
            and subprocess.run([*command, "version"], capture_output=True).returncode == 0
        ):
            return command
    pytest.fail("There is no docker compose. Install the plugin, or Debian's: apt-get install docker-compose")


@functools.cache
def here(image: str) -> bool:
    """Whether the engine has an image, or can pull it. Only a missing way to the registry makes a stand-in right."""
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0:
        return True
    if os.environ.get("LABS_NO_PULL"):
        return False
    try:
        done = subprocess.run(
            ["docker", "pull", "--quiet", image], capture_output=True, text=True, timeout=PULL_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    assert "manifest unknown" not in done.stderr, f"{image} does not exist: {done.stderr}"
    return done.returncode == 0


def standing_in(name: str) -> str:
    tag = f"{PREFIX}/{name}"
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True).returncode:
        subprocess.run([ROOT / "infra/docker/stand_in_servers.sh", PREFIX], check=True)
    return tag


def course_image(folder: Path) -> str:
    """Build the course's own image: on the pinned Python, or on a stand-in with the wheels beside it."""
    tag = f"{PREFIX}/course"
    dockerfile = ROOT / "infra/images/course/Dockerfile"
    pinned = dockerfile.read_text(encoding="utf-8").split("PYTHON_IMAGE=", 1)[1].split()[0]
    arguments: list[str] = []
    if not here(pinned):
        python = f"{PREFIX}/python"
        if subprocess.run(["docker", "image", "inspect", python], capture_output=True).returncode:
            subprocess.run([ROOT / "infra/docker/stand_in_base.sh", python], check=True)
        arguments = ["--build-arg", f"PYTHON_IMAGE={python}"]
        arguments += ["--build-arg", f"PYTHON_BUILD_IMAGE={with_wheels(python, folder)}"]
    docker("build", "--tag", tag, "--file", str(dockerfile), *arguments, str(ROOT), seconds=1800)
    return tag


def with_wheels(python: str, folder: Path) -> str:
    """A Python image whose pip finds every wheel in the image itself."""
    tag, context = f"{PREFIX}/python-wheels", folder / "wheels"
    given = os.environ.get("LABS_WHEELS")
    if given:
        shutil.copytree(given, context / "wheels")
    else:
        pip = folder / "pip"
        subprocess.run([sys.executable, "-m", "venv", pip], check=True)
        lock = folder / "requirements.txt"
        lock.write_text(for_python(docker("run", "--rm", python, "python3", "-c", VERSION).strip()))
        command = [pip / "bin/pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--requirement", lock, "--dest", context / "wheels"]
        subprocess.run(command, check=True)
    (context / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    (context / "Dockerfile").write_text(f"FROM {python}\nCOPY pip.conf /etc/pip.conf\nCOPY wheels /wheels\n")
    docker("build", "--quiet", "--tag", tag, str(context))
    shutil.rmtree(context)
    return tag


VERSION = "import platform; print(platform.python_version())"


def for_python(version: str) -> str:
    """The image's lock for this Python alone: ours may have another patch release, and markers know the difference."""
    pins = re.split(r"(?m)^(?=[a-z0-9])", (ROOT / "infra/images/course/requirements.lock").read_text())[1:]
    environment = {"python_full_version": version, "python_version": version.rpartition(".")[0]}
    kept = []
    for pin in pins:
        head, _, hashes = pin.partition(" \\\n")
        requirement = Requirement(head)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            kept.append(f"{head.partition(';')[0].strip()} \\\n{hashes}")
    return "".join(kept)


def moto_image(course: str, folder: Path) -> str:
    """An object store to prove MLflow's side with, where SeaweedFS cannot be had."""
    tag, context = f"{PREFIX}/objectstore", folder / "moto"
    site = Path(str(importlib.util.find_spec("moto").origin)).parents[1]  # type: ignore[union-attr]
    (context / "site").mkdir(parents=True)
    about = [path.name for name in MOTO for path in site.glob(f"{name.removesuffix('.py')}-*.dist-info")]
    for name in (*MOTO, *about):
        copy = shutil.copytree if (site / name).is_dir() else shutil.copy
        copy(site / name, context / "site" / name)
    (context / "Dockerfile").write_text(
        f"FROM {course}\nCOPY site /site\nENV PYTHONPATH=/site:/course\n"
        'ENTRYPOINT ["python", "-m", "moto.server", "--host", "0.0.0.0", "--port", "8333"]\n'
    )
    docker("build", "--quiet", "--tag", tag, str(context))
    return tag


@dataclass
class Stack:
    project: str
    file: Path
    document: dict[str, Any]
    secrets: Path
    stand_ins: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def compose(self, *words: str, seconds: float = 600) -> str:
        command = [
            *compose_command(),
            "--project-name",
            self.project,
            "--file",
            str(self.file),
            "--profile",
            "all",
        ]
        done = subprocess.run(
            [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-6000:]}"
        return done.stdout

    def containers(self) -> dict[str, dict[str, Any]]:
        """Every container's inspection, by service."""
        ids = self._left("container", "ls", "--all", "--no-trunc")
        found = json.loads(docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def _left(self, *words: str) -> list[str]:
        return docker(
            *words, "--quiet", "--filter", f"label=com.docker.compose.project={self.project}"
        ).split()

    def left(self) -> dict[str, list[str]]:
        return {
            "containers": self._left("container", "ls", "--all"),
            "volumes": self._left("volume", "ls"),
            "networks": self._left("network", "ls"),
        }

    def port(self, service: str, inside: int) -> int:
        bindings = self.containers()[service]["NetworkSettings"]["Ports"][f"{inside}/tcp"]
        assert {one["HostIp"] for one in bindings} == {"127.0.0.1"}
        return int(bindings[0]["HostPort"])

    def url(self, service: str, inside: int) -> str:
        return f"http://127.0.0.1:{self.port(service, inside)}"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text(encoding="utf-8").strip()


def derived(folder: Path) -> Stack:
    """The very file, but for what this machine cannot have: each change is one line here."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    stack = Stack(
        f"labstest{uuid.uuid4().hex[:8]}", folder / "docker-compose.yml", document, folder / "secrets"
    )
    course = course_image(folder)
    for name, service in list(document["services"].items()):
        if service.pop("build", None):
            service["image"] = course
        elif not here(service["image"]):
            if name in STAND_INS:
                service["image"] = standing_in(name)
                stack.stand_ins.append(name)
            elif name == "objectstore":
                service |= {"image": moto_image(course, folder), "command": [], "user": "10001:10001"}
                url = "http://127.0.0.1:8333/moto-api/data.json"
                service["healthcheck"]["test"] = ["CMD", "python", "/course/healthy.py", url]
                stack.stand_ins.append("objectstore (moto)")
                stack.not_checked.append("SeaweedFS")
            else:
                del document["services"][name]
                stack.not_checked.append(name)
    services = document["services"]
    for service in services.values():
        # Any free port: a learner's own services may run on this machine.
        service["ports"] = [f"127.0.0.1::{port.rsplit(':', 1)[1]}" for port in service.get("ports", [])]
        service["depends_on"] = {
            one: how for one, how in service.get("depends_on", {}).items() if one in services
        }
        service["volumes"] = [
            f"{ROOT}/{volume[2:]}" if volume.startswith("./") else volume
            for volume in service.get("volumes", [])
        ]
    for name, secret in document["secrets"].items():
        secret["file"] = str(stack.secrets / name)
    del document["name"]  # docker-compose 1.29 does not know it
    if "grafana" not in services:
        del document["volumes"]["grafana"], document["secrets"]["grafana_admin"]
    stack.file.write_text(yaml.safe_dump(document, sort_keys=False))
    return stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.fail("No Docker engine answers. Start one, or set DOCKER_HOST.")
    folder = tmp_path_factory.mktemp("stack")
    folder.chmod(0o755)
    made = subprocess.run(
        [sys.executable, "-c", MAKE_SECRETS, str(folder / "secrets")], cwd=ROOT / "infra/compose"
    )
    assert made.returncode == 0
    one = derived(folder)
    print(f"\nstand-ins: {', '.join(one.stand_ins) or 'none'}")
    print(f"could not check: {', '.join(one.not_checked) or 'nothing'}")
    try:
        began = time.monotonic()
        one.compose("up", "--detach")
        wait_until_healthy(one)
        print(f"healthy after {time.monotonic() - began:.0f} s: {', '.join(sorted(one.containers()))}")
        yield one
    finally:
        one.compose("down", "--volumes", "--remove-orphans")


MAKE_SECRETS = "import sys, pathlib, make_secrets; make_secrets.make(pathlib.Path(sys.argv[1]))"


def wait_until_healthy(stack: Stack) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        states = {name: one["State"] for name, one in stack.containers().items()}
        health = {
            name: state.get("Health", {}).get("Status", state["Status"]) for name, state in states.items()
        }
        if len(health) == len(stack.document["services"]) and set(health.values()) == {"healthy"}:
            return
        ended = [name for name, state in states.items() if state["Status"] == "exited"]
        if time.monotonic() > deadline or ended:
            bad = [name for name, how in health.items() if how != "healthy"]
            pytest.fail(
                f"{health}\n" + "\n".join(stack.compose("logs", "--tail", "30", name) for name in bad)
            )
        time.sleep(2)


def test_every_service_is_confined(stack: Stack) -> None:
    secrets = {stack.secret(name) for name in ("postgres_nukkad", "postgres_mlflow", "postgres_prefect")}
    secrets |= {stack.secret("redis.conf").split()[1]}
    secrets |= set(json.loads(stack.secret("s3.json"))["identities"][0]["credentials"][0].values())
    for name, one in stack.containers().items():
        host = one["HostConfig"]
        assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"], name
        assert host["ReadonlyRootfs"] and "no-new-privileges:true" in host["SecurityOpt"], name
        assert 0 < host["Memory"] <= 1 << 30 and host["PidsLimit"], name
        shown = json.dumps(one)
        assert not [secret for secret in secrets if secret in shown], f"docker inspect {name} shows a secret"
        owners = {line.split()[0] for line in docker("top", one["Id"], "-eo", "uid,pid").splitlines()[1:]}
        assert "0" not in owners, f"{name} runs as root"
        arguments = docker("top", one["Id"], "-eo", "pid,args")
        assert not [secret for secret in secrets if secret in arguments], (
            f"a process of {name} shows a secret"
        )


def test_mlflow_keeps_a_run_and_its_artifact(stack: Stack) -> None:
    code = """
import mlflow, pathlib, tempfile
mlflow.set_experiment("fraud")
with mlflow.start_run() as run:
    mlflow.log_metric("recall", 0.47)
    mlflow.log_text("a scorecard", "model.txt")
assert mlflow.artifacts.load_text(run.info.artifact_uri + "/model.txt") == "a scorecard"
assert run.info.artifact_uri.startswith("mlflow-artifacts:"), run.info.artifact_uri
assert mlflow.get_run(run.info.run_id).data.metrics == {"recall": 0.47}
"""
    url = stack.url("mlflow", 5001)
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for host, wanted in ((forwarded(5001), 200), ("rebound.example", 403)):
        search = f"{url}/api/2.0/mlflow/experiments/search"
        reply = httpx.post(search, json={"max_results": 1}, headers={"Host": host})
        assert reply.status_code == wanted, f"{host}: {reply.text}"


def forwarded(port: int) -> str:
    """The name under which a Codespace forwards a port; elsewhere the one that docker-compose.yml then makes up."""
    domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    return f"{os.environ.get('CODESPACE_NAME', 'none')}-{port}.{domain}"


def test_a_service_enters_its_own_database_alone(stack: Stack) -> None:
    port = stack.port("postgres", 5432)

    def enter(user: str, password: str, database: str) -> None:
        psycopg2.connect(host="127.0.0.1", port=port, user=user, password=password, dbname=database).close()

    enter("mlflow", stack.secret("postgres_mlflow"), "mlflow")
    enter("nukkad", stack.secret("postgres_nukkad"), "postgres")
    for user, password, database in (
        ("mlflow", stack.secret("postgres_mlflow"), "prefect"),
        ("mlflow", stack.secret("postgres_prefect"), "mlflow"),
    ):
        with pytest.raises(psycopg2.OperationalError):
            enter(user, password, database)


def test_prefect_has_a_worker(stack: Stack) -> None:
    url = stack.url("prefect", 4200)
    workers = httpx.post(f"{url}/api/work_pools/course/workers/filter", json={}).json()
    assert [worker["status"] for worker in workers] == ["ONLINE"]
    assert httpx.get(f"{url}/ui-settings").json()["api_url"] == "/api"


def test_redis_wants_its_password(stack: Stack) -> None:
    port = stack.port("redis", 6379)
    password = stack.secret("redis.conf").split()[1]
    with redis.Redis(port=port, password=password) as client:
        assert client.set("freshness", 1) and client.get("freshness") == b"1"
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("freshness")


def test_prometheus_scrapes_what_runs_and_knows_the_rules(stack: Stack) -> None:
    url = stack.url("prometheus", 9090)
    wanted = {"fraud", "prometheus", "alertmanager"} | ({"grafana"} & stack.document["services"].keys())
    deadline = time.monotonic() + 60
    while True:
        targets = httpx.get(f"{url}/api/v1/targets").json()["data"]["activeTargets"]
        up = {one["labels"]["job"] for one in targets if one["health"] == "up"}
        if up >= wanted:
            break
        assert time.monotonic() < deadline, targets
        time.sleep(1)
    rules = httpx.get(f"{url}/api/v1/rules").json()["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}
    assert httpx.get(f"{url}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]


def test_grafana_has_its_dashboards(stack: Stack) -> None:
    if "grafana" not in stack.document["services"]:
        pytest.skip("could not check: Grafana's image cannot be had here")
    found = httpx.get(f"{stack.url('grafana', 3000)}/api/search", params={"type": "dash-db"}).json()
    files = [json.loads(path.read_text()) for path in (ROOT / "infra/grafana/dashboards").glob("*.json")]
    assert {one["uid"] for one in found} == {one["uid"] for one in files}


def test_traffic_reaches_the_service(stack: Stack) -> None:
    metrics = httpx.get(f"{stack.url('fraud', 8080)}/metrics").text
    assert 'fraud_decisions_total{decision="allow",model_version="fraud-3"} 0.0' not in metrics


def test_networks_keep_profiles_apart(stack: Stack) -> None:
    mlflow = stack.containers()["mlflow"]["Id"]
    for name, wanted in (("postgres", 0), ("objectstore", 0), ("prometheus", 1), ("redis", 1)):
        code = f"import socket; socket.gethostbyname('{name}')"
        done = subprocess.run(["docker", "exec", mlflow, "python", "-c", code], capture_output=True)
        assert done.returncode == wanted, f"MLflow {'does not find' if wanted == 0 else 'finds'} {name}"


def test_down_leaves_nothing(stack: Stack) -> None:
    """The last test: it ends the stack. What `make down ARGS=--volumes` does."""
    assert all(stack.left().values())
    stack.compose("down", "--volumes", "--remove-orphans")
    assert stack.left() == {"containers": [], "volumes": [], "networks": []}
