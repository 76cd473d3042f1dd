"""docker-compose.yml keeps its promises: valid, pinned, confined, small enough, on loopback, and without a secret.

No engine is needed here; `make test-docker` starts it on a real one. Each rule is also shown a file that breaks it.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent
INFRA = ROOT / "infra"
PROFILES = {"tracking", "orchestration", "features", "monitoring", "all"}
# What a Codespace of 8 GB has left beside an editor and a learner's own work; and beside a lab's heavier one.
MOST_MEGABYTES = {"all": 6144, "tracking": 2560, "orchestration": 2560, "features": 512, "monitoring": 2560}
PORTS = {
    "postgres": 5432,
    "objectstore": 9000,
    "mlflow": 5001,
    "prefect": 4200,
    "redis": 6379,
    "fraud": 8080,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
}
# An exact version: a whole tag that begins with a number of at least two parts, or our own image.
PINNED = re.compile(r"^[a-z0-9./_-]+:v?\d+\.\d+(\.\d+)*(-[a-z0-9.]+)*(@sha256:[0-9a-f]{64})?$")
SECRET_NAME = re.compile(r"(password|passwd|secret|token|api_?key|access_?key|credential)", re.IGNORECASE)
LONG_RANDOM = re.compile(
    r"(?<![\w/.-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[a-z])(?=[\w+/=-]*[A-Z])[A-Za-z0-9+/=_-]{20,}"
)
URL_WITH_PASSWORD = re.compile(r"://[^/\s:@]+:[^/\s@$]+@")

Document = dict[str, Any]


def document() -> Document:
    loaded: Document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def services(doc: Document) -> dict[str, Any]:
    found: dict[str, Any] = doc["services"]
    return found


def valid(doc: Document) -> list[str]:
    """The file is valid by the Compose specification's own schema."""
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text(encoding="utf-8"))
    errors = Draft202012Validator(schema).iter_errors(doc)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors]


def pinned(doc: Document) -> list[str]:
    """Every image is one exact version."""
    return [
        f"{name}: {service['image']}"
        for name, service in services(doc).items()
        if not ("build" in service and service["image"].startswith("nukkad/"))
        and ("latest" in service["image"] or not PINNED.match(service["image"]))
    ]


def watched(doc: Document) -> list[str]:
    """Every service has a health check, and who depends on it waits for that."""
    bad = [name for name, service in services(doc).items() if not service.get("healthcheck", {}).get("test")]
    for name, service in services(doc).items():
        needs = service.get("depends_on", {})
        if isinstance(needs, list) or any(how["condition"] != "service_healthy" for how in needs.values()):
            bad.append(f"{name} does not wait until what it needs is healthy")
    return bad


def confined(doc: Document) -> list[str]:
    """No capability, no new privilege, no root, nothing written but where it is named."""
    bad = []
    for name, service in services(doc).items():
        held = {
            "cap_drop": service.get("cap_drop") == ["ALL"],
            "cap_add": not service.get("cap_add"),
            "privileged": not service.get("privileged"),
            "no-new-privileges": "no-new-privileges:true" in service.get("security_opt", []),
            "read_only": service.get("read_only") is True,
            "pids_limit": 0 < service.get("pids_limit", 0) <= 512,
            "user": re.fullmatch(r"[1-9]\d*:\d+", service.get("user", "")) is not None,
            "host": not {service.get(key) for key in ("network_mode", "pid", "ipc")} & {"host"},
            "devices": not service.get("devices"),
            "the engine's socket": "docker.sock" not in json.dumps(service),
        }
        bad += [f"{name}: {what}" for what, holds in held.items() if not holds]
    return bad


def local(doc: Document) -> list[str]:
    """Every published port is on 127.0.0.1, and where people expect it."""
    bad = []
    for name, service in services(doc).items():
        for port in service.get("ports", []):
            host, _, rest = str(port).rpartition(":")[0].partition(":")
            if host != "127.0.0.1" or int(rest or 0) != PORTS.get(name):
                bad.append(f"{name}: {port}")
    return bad + [f"{name} is not published" for name in PORTS if not services(doc)[name].get("ports")]


def small(doc: Document) -> list[str]:
    """Every service has a memory limit, and those of each profile fit the machine together."""
    sizes = {name: _megabytes(service.get("mem_limit")) for name, service in services(doc).items()}
    bad = [f"{name} has no limit" for name, size in sizes.items() if not size]
    for profile, most in MOST_MEGABYTES.items():
        total = sum(sizes[name] for name in members(doc, profile))
        bad += [f"{profile} takes {total} MB, more than {most}"] if total > most else []
    return bad


def profiled(doc: Document) -> list[str]:
    """Every service is in `all` and in another profile, and what it needs is in each of its own."""
    bad = []
    for name, service in services(doc).items():
        own = set(service.get("profiles", []))
        if "all" not in own or len(own) < 2 or own - PROFILES:
            bad.append(f"{name} is in {sorted(own)}")
        for need in service.get("depends_on", {}):
            missing = own - set(services(doc)[need]["profiles"])
            bad += [f"{name} needs {need}, which is not in {sorted(missing)}"] if missing else []
    return bad


def silent(doc: Document) -> list[str]:
    """No secret stands in the file: only the names of files do."""
    bad = []
    for path, value in leaves(doc):
        key = path.rsplit("/", 1)[-1]
        named = SECRET_NAME.search(key) and not key.endswith(("_FILE", "__FILE")) and "/environment/" in path
        if named or LONG_RANDOM.search(value) or URL_WITH_PASSWORD.search(value):
            bad.append(f"{path}: {value}")
    for name, secret in doc["secrets"].items():
        if set(secret) != {"file"} or not secret["file"].startswith("./infra/compose/secrets/"):
            bad.append(f"secrets/{name}: {secret}")
    return bad


def mounted_read_only(doc: Document) -> list[str]:
    """What is mounted from the checkout exists, and cannot be written; data is in named volumes."""
    bad = []
    for name, service in services(doc).items():
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith((".", "/")):
                if not rest.endswith(":ro") or not (ROOT / source).exists():
                    bad.append(f"{name}: {volume}")
            elif source not in doc["volumes"]:
                bad.append(f"{name}: {volume} is not a named volume")
    return bad


def apart(doc: Document) -> list[str]:
    """A service is on the networks of its own profiles; only the worker, which runs flows, is on more."""
    bad = []
    for name, service in services(doc).items():
        strange = set(service["networks"]) - set(service["profiles"])
        if strange and name != "prefect-worker":
            bad.append(f"{name} is on {sorted(strange)}")
    return bad


RULES = (valid, pinned, watched, confined, local, small, profiled, silent, mounted_read_only, apart)


def members(doc: Document, profile: str) -> list[str]:
    return [name for name, service in services(doc).items() if profile in service.get("profiles", [])]


def leaves(value: Any, path: str = "") -> list[tuple[str, str]]:
    """(path, text) of every scalar."""
    if isinstance(value, dict):
        return [leaf for key, inside in value.items() for leaf in leaves(inside, f"{path}/{key}")]
    if isinstance(value, list):
        return [leaf for number, inside in enumerate(value) for leaf in leaves(inside, f"{path}/{number}")]
    return [(path, str(value))]


def _megabytes(limit: Any) -> int:
    found = re.fullmatch(r"(\d+)([mg])b?", str(limit))
    return int(found[1]) * {"m": 1, "g": 1024}[found[2]] if found else 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_stack_keeps_the_rule(rule: Callable[[Document], list[str]]) -> None:
    offenders = rule(document())
    assert not offenders, f"{rule.__doc__}\n" + "\n".join(offenders)


def _broken(change: Callable[[dict[str, Any], Document], object]) -> Document:
    """The file, with one service changed."""
    doc = copy.deepcopy(document())
    change(services(doc)["mlflow"], doc)
    return doc


RANDOM = "".join(("aB3", "dE5fG7hJ9kL1mN3pQ5r"))
BREAKS: list[tuple[Callable[[Document], list[str]], Callable[[dict[str, Any], Document], object]]] = [
    (valid, lambda one, doc: one.update(port="5001")),
    (valid, lambda one, doc: one.update(mem_limit=["1g"])),
    (pinned, lambda one, doc: services(doc)["redis"].update(image="redis")),
    (pinned, lambda one, doc: services(doc)["redis"].update(image="redis:latest")),
    (pinned, lambda one, doc: services(doc)["redis"].update(image="redis:7")),
    (pinned, lambda one, doc: services(doc)["redis"].update(image="redis:alpine3.21")),
    (watched, lambda one, doc: one.pop("healthcheck")),
    (watched, lambda one, doc: one.update(depends_on=["postgres"])),
    (watched, lambda one, doc: one["depends_on"]["postgres"].update(condition="service_started")),
    (confined, lambda one, doc: one.pop("cap_drop")),
    (confined, lambda one, doc: one.update(cap_add=["SYS_PTRACE"])),
    (confined, lambda one, doc: one.update(privileged=True)),
    (confined, lambda one, doc: one.pop("security_opt")),
    (confined, lambda one, doc: one.update(read_only=False)),
    (confined, lambda one, doc: one.update(user="0:0")),
    (confined, lambda one, doc: one.pop("user")),
    (confined, lambda one, doc: one.update(network_mode="host")),
    (confined, lambda one, doc: one.update(volumes=["/var/run/docker.sock:/var/run/docker.sock"])),
    (local, lambda one, doc: one.update(ports=["5001:5001"])),
    (local, lambda one, doc: one.update(ports=["0.0.0.0:5001:5001"])),
    (local, lambda one, doc: one.update(ports=["127.0.0.1:5000:5001"])),
    (local, lambda one, doc: one.pop("ports")),
    (small, lambda one, doc: one.pop("mem_limit")),
    (small, lambda one, doc: one.update(mem_limit="2g")),
    (profiled, lambda one, doc: one.update(profiles=["tracking"])),
    (profiled, lambda one, doc: services(doc)["objectstore"].update(profiles=["features", "all"])),
    (silent, lambda one, doc: one["environment"].update(AWS_SECRET_ACCESS_KEY="x")),
    (silent, lambda one, doc: one["environment"].update(ANYTHING=RANDOM)),
    (silent, lambda one, doc: one["environment"].update(STORE="postgresql://" + "mlflow:x@postgres/mlflow")),
    (silent, lambda one, doc: doc["secrets"]["s3.json"].update(environment="S3")),
    (mounted_read_only, lambda one, doc: one.update(volumes=["./work:/course/work"])),
    (mounted_read_only, lambda one, doc: one.update(volumes=["./no-such-folder:/data:ro"])),
    (mounted_read_only, lambda one, doc: one.update(volumes=["unnamed:/data"])),
    (apart, lambda one, doc: one.update(networks=["tracking", "monitoring"])),
]


@pytest.mark.parametrize(
    ("rule", "change"), BREAKS, ids=[f"{n}-{rule.__name__}" for n, (rule, _) in enumerate(BREAKS)]
)
def test_the_rule_finds_who_breaks_it(
    rule: Callable[[Document], list[str]], change: Callable[[dict[str, Any], Document], object]
) -> None:
    assert rule(_broken(change))


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    sys.path.insert(0, str(INFRA / "compose"))
    try:
        import make_secrets
    finally:
        sys.path.pop(0)
    folder = tmp_path / "secrets"
    assert sorted(make_secrets.make(folder)) == sorted(document()["secrets"])
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert len(set(before.values())) == len(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "grafana_admin").unlink()
    (folder / "grafana_admin").mkdir()  # what an engine leaves that was started without it
    assert make_secrets.make(folder) == ["grafana_admin"]
    after = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"grafana_admin"}
    assert json.loads(after["s3.json"])["identities"][0]["credentials"][0]["secretKey"]


def test_git_ignores_the_secrets() -> None:
    listed = subprocess.run(
        [
            "git",
            "check-ignore",
            "--no-index",
            *(f"infra/compose/secrets/{name}" for name in document()["secrets"]),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 128:
        pytest.skip("this is no git checkout")
    assert len(listed.stdout.split()) == len(document()["secrets"])


def test_the_image_installs_what_the_course_locks() -> None:
    """infra/images/course/requirements.lock is a part of the course's lock, with the same hashes."""

    def pins(path: Path) -> dict[str, set[str]]:
        parts = re.split(r"(?m)^(?=[a-z0-9])", path.read_text(encoding="utf-8"))[1:]
        found: dict[str, set[str]] = {}
        for one in parts:
            name = re.sub(r"\[[^]]*\]", "", one.split(" ", 1)[0].rstrip("\\").strip())
            found.setdefault(name, set()).update(re.findall(r"sha256:[0-9a-f]{64}", one))
        return found

    whole, part = pins(ROOT / "requirements.lock"), pins(INFRA / "images/course/requirements.lock")
    different = sorted(name for name, hashes in part.items() if whole.get(name) != hashes)
    assert part and not different, f"not as in requirements.lock: {different}; run: make lock"
    wanted = set(re.findall(r"(?m)^[a-z0-9-]+", (INFRA / "images/course/requirements.in").read_text()))
    assert wanted <= {name.split("==")[0] for name in part}


def test_the_devcontainer_forwards_what_the_stack_publishes() -> None:
    text = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(re.sub(r"(?m)^\s*//.*$", "", text))
    wanted = {str(PORTS[name]) for name in ("mlflow", "prefect", "grafana", "prometheus", "fraud")}
    assert wanted <= set(container["portsAttributes"]) and "5000" not in container["portsAttributes"]
    assert all(one["label"] for one in container["portsAttributes"].values())
    assert container["postCreateCommand"] == "make start"
    assert container["hostRequirements"]["cpus"] == 2 and container["hostRequirements"]["memory"] == "8gb"
