"""The small kustomize of the lab deploy_to_kubernetes builds what kubectl's own builds, and refuses the rest."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LAB = Path(__file__).resolve().parent.parent / "stage2_cloud" / "04_deploy_to_kubernetes"
OWN = ("kustomize", "kustomize_places", "config_maps", "strict_yaml")
VARIANTS = sorted(
    [LAB / "solution", *(LAB / "alternatives").glob("*"), *(LAB / "mistakes").glob("*")],
    key=lambda path: path.name,
)
OLDEST = 27

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec:
      containers:
      - {name: one, image: "fraud:1", envFrom: [{configMapRef: {name: c}}]}
      - {name: two, image: "registry:5000/fraud@sha256:00"}
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: d}}}
---
apiVersion: v1
kind: Service
metadata: {name: d}
spec: {ports: [{port: 80}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: d}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: d}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: d}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: n}
"""
BASE = {"base/d.yaml": DEPLOYMENT, "base/kustomization.yaml": "resources: [d.yaml]"}
GENERATED = {
    "base/d.yaml": DEPLOYMENT,
    "base/x.env": "# a comment\nA=1\nB=<x>&\"y\"\n\nD='q'\n",
    "base/kustomization.yaml": "resources: [d.yaml]\n"
    "configMapGenerator: [{name: c, envs: [x.env], files: [note=x.env]}]",
}
CASES: dict[str, tuple[Mapping[str, str], str]] = {
    "names and a namespace": (BASE, "namePrefix: p-\nnameSuffix: -s\nnamespace: prod"),
    "labels everywhere": (BASE, "labels: [{pairs: {a: b}, includeSelectors: true}, {pairs: {c: d}}]"),
    "labels of templates": (BASE, "labels: [{pairs: {a: b}, includeTemplates: true}]"),
    "an image by digest": (BASE, "images: [{name: fraud, newName: r/f, digest: 'sha256:11'}]"),
    "an image by tag, of a registry with a port": (BASE, "images: [{name: 'registry:5000/fraud', newTag: '7'}]"),
    "a tag and a digest": (BASE, "images: [{name: fraud, newTag: '7', digest: 'sha256:11'}]"),
    "another name for an image": (BASE, "images: [{name: fraud, newName: r/f}]"),
    "replicas": (BASE, "replicas: [{name: d, count: 4}]"),
    "generated": (GENERATED, "namePrefix: p-"),
    "merged": (GENERATED, "configMapGenerator: [{name: c, behavior: merge, literals: [A=2, 'E=a b', 'F=\"q\"']}]"),
    "replaced": (GENERATED, "configMapGenerator: [{name: c, behavior: replace, literals: [B=on]}]"),
    "an empty one": (BASE, "configMapGenerator: [{name: empty}]"),
    "without a hash": (
        BASE,
        "configMapGenerator: [{name: c, literals: [A=1]}]\ngeneratorOptions: {disableNameSuffixHash: true}",
    ),
    "a strategic merge": (
        BASE,
        "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: d}\n"
        "    spec: {template: {spec: {containers: "
        "[{name: one, env: [{name: X, value: '1'}]}, {name: three, image: i}]}}}",
    ),
    "an item deleted by a merge": (
        BASE,
        "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: d}\n"
        "    spec: {template: {spec: {containers: [{name: two, $patch: delete}]}}}",
    ),
    "an object deleted": (
        BASE,
        "patches:\n- patch: |-\n    apiVersion: v1\n    kind: Service\n    metadata: {name: d}\n    $patch: delete",
    ),
    "a JSON patch": (
        BASE,
        "patches:\n- target: {kind: Deployment, name: d}\n  patch: |-\n"
        "    - {op: add, path: /spec/template/spec/hostNetwork, value: true}\n"
        "    - {op: remove, path: /spec/template/spec/containers/1}",
    ),
    "a patch of all of a kind": (
        BASE,
        "patches:\n- target: {kind: .*Budget}\n  patch: |-\n    - {op: replace, path: /spec/maxUnavailable, value: 2}",
    ),
    "a mode with a leading zero": (
        BASE,
        "patches:\n- target: {kind: Deployment}\n  patch: |-\n"
        "    - {op: add, path: /spec/template/spec/volumes, "
        "value: [{name: v, configMap: {name: x, defaultMode: 0440}}]}",
    ),
    "a patch that meets nothing": (
        BASE,
        "patches:\n- target: {kind: Job}\n  patch: |-\n    - {op: remove, path: /spec}",
    ),
    "scalars": (
        {**BASE, "base/kustomization.yaml": "resources: [d.yaml, e.yaml]",
         "base/e.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: e}\n"
         "data: {a: yes, b: 'no', c: 12:30, d: \"1\", e: on}"},
        "namespace: prod",
    ),
}  # fmt: skip
REFUSED: dict[str, tuple[Mapping[str, str], str]] = {
    "a file that is not there": (BASE, "configMapGenerator: [{name: c, envs: [no.env]}]"),
    "a file of another folder": (BASE, "configMapGenerator: [{name: c, envs: [../base/d.yaml]}]"),
    "a patch of what is not there": (
        BASE,
        "patches:\n- patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: no}, spec: {replicas: 2}}'",
    ),
    "a merge of what is not there": (
        BASE,
        "configMapGenerator: [{name: c, behavior: merge, literals: [A=1]}]",
    ),
    "a second one of the name": (GENERATED, "configMapGenerator: [{name: c, literals: [A=1]}]"),
    "replicas of what is not there": (BASE, "replicas: [{name: no, count: 4}]"),
    "a JSON patch that does not apply": (
        BASE,
        "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - {op: remove, path: /spec/no}",
    ),
    "an unknown field": (BASE, "resource: [x]"),
}
OURS_ALONE = {
    "secretGenerator": "secretGenerator: [{name: s, literals: [a=b]}]",
    "components": "components: [../base]",
    "a resource from elsewhere": "resources: ['https://example.com/x.yaml']",
    "a date": "labels: [{pairs: {a: 2026-01-02}}]",
    "an anchor": "labels: [{pairs: &a {b: c}}, {pairs: *a}]",
}


@pytest.fixture(scope="module")
def ours() -> Iterator[ModuleType]:
    """The lab's builder; its modules are named as siblings name them."""
    sys.path.insert(0, str(LAB / "checks"))
    try:
        yield importlib.import_module("kustomize")
    finally:
        sys.path.remove(str(LAB / "checks"))
        for name in OWN:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def kubectl() -> str:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("no kubectl on PATH")
    asked = [program, "version", "--client", "-o", "json"]
    version = json.loads(subprocess.run(asked, capture_output=True, text=True).stdout)["clientVersion"]
    if int(re.sub(r"\D", "", version["minor"])) < OLDEST:
        pytest.skip(f"kubectl is too old: 1.{OLDEST} or newer")
    return program


def real(kubectl: str, folder: Path) -> tuple[str, str]:
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else "", done.stderr


def plain(value: Any) -> Any:
    """Without the order of keys and of lists of maps."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return sorted(map(plain, value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


def read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def same(ours: ModuleType, kubectl: str, root: Path, folder: str) -> None:
    text, trouble = real(kubectl, root / folder)
    assert text, trouble
    documents = importlib.import_module("strict_yaml").documents
    assert plain(ours.build(read(root), folder)) == plain(documents(text))


@pytest.mark.parametrize("overlay", ["staging", "prod"])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.name)
def test_every_answer_of_the_lab_builds_to_the_same(
    variant: Path, overlay: str, ours: ModuleType, kubectl: str, tmp_path: Path
) -> None:
    shutil.copytree(LAB / "solution", tmp_path, dirs_exist_ok=True)
    shutil.copytree(variant, tmp_path, dirs_exist_ok=True)
    removed = variant / "removed.txt"
    for line in removed.read_text().splitlines() if removed.is_file() else ():
        (tmp_path / line).unlink()
    same(ours, kubectl, tmp_path, f"k8s/overlays/{overlay}")


def written(case: tuple[Mapping[str, str], str], folder: Path) -> None:
    files, overlay = case
    above = "" if "resources:" in overlay else "resources: [../base]\n"
    for path, text in {**files, "over/kustomization.yaml": above + overlay}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)


@pytest.mark.parametrize("case", CASES)
def test_the_subset_builds_to_the_same(case: str, ours: ModuleType, kubectl: str, tmp_path: Path) -> None:
    written(CASES[case], tmp_path)
    same(ours, kubectl, tmp_path, "over")


@pytest.mark.parametrize("case", REFUSED)
def test_both_refuse(case: str, ours: ModuleType, kubectl: str, tmp_path: Path) -> None:
    written(REFUSED[case], tmp_path)
    with pytest.raises(ours.CannotBuild):
        ours.build(read(tmp_path), "over")
    assert real(kubectl, tmp_path / "over")[0] == ""


@pytest.mark.parametrize("case", OURS_ALONE)
def test_what_is_not_in_the_subset_is_refused(case: str, ours: ModuleType, tmp_path: Path) -> None:
    written((BASE, OURS_ALONE[case]), tmp_path)
    with pytest.raises(ours.CannotBuild, match="subset"):
        ours.build(read(tmp_path), "over")


def test_no_key_may_stand_twice(ours: ModuleType, tmp_path: Path) -> None:
    """kustomize takes the last one in a kustomization, and refuses the same in a resource."""
    written((BASE, "namespace: a\nnamespace: b"), tmp_path)
    with pytest.raises(ours.CannotBuild, match="twice"):
        ours.build(read(tmp_path), "over")
