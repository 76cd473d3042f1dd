"""What a learner hands in: the objects of k8s/*.yaml, and a cluster in which they are applied."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import strict_yaml
from kube import OF_THE_CLUSTER, PLURALS, SPACE, Kube, Obj, Refused, in_order
from labs.checks import Work
from labs.grading.evidence import Evidence, NotStarted
from labs.results import Finding

KINDS = (
    "Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "NetworkPolicy",
    "Deployment", "Service", "ConfigMap", "PodDisruptionBudget",
)  # fmt: skip
MOST_OBJECTS, MOST_BYTES, MOST_REPLICAS = 120, 200_000, 10
APPS = {"gateway": 8000, "fraud": 8080, "feature-store": 6379}
METRICS = 9100
USER = 10001
SECRET, SETTINGS = "fraud-db", "fraud-settings"
FOLDER, FILE = "/var/run/fraud-db", "/var/run/fraud-db/password"


def read(work: Work) -> list[Obj]:
    """The objects of all files k8s/*.yaml, in the order in which they are applied.

    Raises: NotStarted, there is no Role and no NetworkPolicy yet.
    """
    paths = [one for one in work.files() if one.startswith("k8s/") and one.endswith((".yaml", ".yml"))]
    here = Evidence("read k8s/*.yaml")
    here.require(
        not any(one.count("/") > 1 for one in paths),
        wanted="manifests in one folder, k8s",
        got="a manifest in a folder below it",
        hint="What `kubectl apply -f k8s` does not read, nobody applies.",
    )
    things = list[Obj]()
    size = 0
    for path in paths:
        raw = work.read(path).bytes
        size += len(raw)
        here.require(size <= MOST_BYTES, wanted=f"at most {MOST_BYTES} bytes", got="more")
        try:
            found = strict_yaml.documents(raw.decode())
        except (strict_yaml.NotYaml, UnicodeDecodeError) as error:
            got = str(error) if isinstance(error, strict_yaml.NotYaml) else "no UTF-8"
            Evidence(f"read {path}").fail(wanted="YAML", got=got)
        for one in found:
            things += _items(one, path)
    here.require(len(things) <= MOST_OBJECTS, wanted=f"at most {MOST_OBJECTS} objects", got=str(len(things)))
    if not any(one["kind"] in ("Role", "NetworkPolicy") for one in things):
        did = "look for roles and network policies in k8s/*.yaml"
        raise NotStarted(Finding(did, "a Role or a NetworkPolicy", "neither: everything may do everything"))
    return in_order(things)


def _items(one: object, path: str) -> list[Obj]:
    """The object, or those of a List; each with its namespace."""
    found = Evidence(f"read {path}")
    if isinstance(one, dict) and one.get("kind") == "List" and isinstance(one.get("items"), list):
        return [thing for item in one["items"] for thing in _items(item, path)]
    meta = one.get("metadata") if isinstance(one, dict) else None
    if (
        not isinstance(one, dict)
        or not isinstance(meta, dict)
        or not all(
            isinstance(x, str) and x for x in (one.get("apiVersion"), one.get("kind"), meta.get("name"))
        )
    ):
        found.fail(wanted="objects with apiVersion, kind and metadata.name", got="something else")
    kind, name = one["kind"], meta["name"]
    found.require(kind in KINDS, wanted=f"kinds among {', '.join(KINDS)}", got=f"{kind} {name}")
    space = meta.get("namespace", SPACE if kind == "Namespace" else "default")
    found.require(
        kind in OF_THE_CLUSTER or space == SPACE,
        wanted=f"{kind} {name} in the namespace {SPACE}",
        got=f"it is in {space}",
    )
    found.require(
        kind != "Namespace" or name == SPACE, wanted=f"one Namespace, {SPACE}", got=f"the Namespace {name}"
    )
    replicas = (one.get("spec") or {}).get("replicas", 1) if isinstance(one.get("spec"), dict) else 1
    found.require(
        not isinstance(replicas, int) or replicas <= MOST_REPLICAS,
        wanted=f"at most {MOST_REPLICAS} replicas",
        got=str(replicas),
    )
    assert kind in PLURALS
    return [one]


def cluster(folder: Path, things: list[Obj], password: str, password_id: str) -> Kube:
    """A cluster with what other teams have made, and then with the learner's objects.

    Raises: Refused, one of the learner's objects was not accepted.
    """
    kube = Kube(folder)
    try:
        # To end takes longer than some requests: who asks once more on the way does not miss that they still run.
        kube.images(**{"*": {"root": True, "start_seconds": 1, "stop_seconds": 10}})
        for space in (SPACE, "monitoring", "edge", "payments"):
            kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
        for space, name in (("monitoring", "prometheus"), ("payments", "rotator"), ("payments", "deployer")):
            meta = {"name": name, "namespace": space}
            kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        kube.create(secret(password, password_id))
        for name in (SETTINGS, "other"):
            meta = {"name": name, "namespace": SPACE}
            kube.create(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"threshold": "0.7"}}
            )
        kube.apply(things)
    except BaseException:
        kube.close()
        raise
    return kube


def secret(password: str, password_id: str) -> Obj:
    values = {"username": "fraud", "password": password, "id": password_id}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": SPACE},
        "data": data,
    }


def _blocks(thing: Obj) -> Iterator[Any]:
    """Every ipBlock of a policy, wherever it stands."""
    todo: list[Any] = [thing] if thing["kind"] == "NetworkPolicy" else []
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            if "ipBlock" in one:
                yield one["ipBlock"]
            todo += one.values()
        elif isinstance(one, list):
            todo += one


def _is_block(block: Any) -> bool:
    """As the API server of Kubernetes demands it; the embedded one does not look. IPv6 is left out here."""
    try:
        texts = [block["cidr"], *(block.get("except") or [])]
        if not all(isinstance(one, str) and "/" in one for one in texts):
            return False
        whole, *parts = [ipaddress.IPv4Network(one, strict=False) for one in texts]
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return all(one.subnet_of(whole) and one != whole for one in parts)


def accepted(folder: Path, things: list[Obj], password: str, password_id: str) -> Kube:
    """As `cluster`; a refusal fails the check."""
    for thing in things:
        for block in _blocks(thing):
            Evidence(f"read NetworkPolicy {thing['metadata']['name']}").require(
                _is_block(block),
                wanted="IPv4 blocks such as 10.0.0.0/24, with exceptions that lie within",
                got=str(block)[:200],
                hint="A single address is a block with /32.",
            )
    try:
        return cluster(folder, things, password, password_id)
    except Refused as error:
        Evidence("kubectl apply --server-side -f k8s").fail(
            wanted="every object is accepted",
            got=error.message,
            hint="`kubectl explain` shows every field of a kind, and `kubectl api-resources` the versions.",
        )
