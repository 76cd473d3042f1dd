"""The lab deploy_to_kubernetes: what counts as a secret value, and what is not the learner's fault."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from labs.checks import CouldNotCheck

CHECKS = Path(__file__).resolve().parent.parent / "stage2_cloud" / "04_deploy_to_kubernetes" / "checks"
OVER = {f"k8s/overlays/{one}/kustomization.yaml": "resources: [../../base]\n" for one in ("staging", "prod")}
BASE = "k8s/base/kustomization.yaml"


def generated(literal: str) -> dict[str, str]:
    return {**OVER, BASE: f"configMapGenerator: [{{name: c, literals: ['{literal}']}}]"}


def written(line: str) -> dict[str, str]:
    return {
        **OVER,
        BASE: "configMapGenerator: [{name: c, envs: [fraud.env]}]",
        "k8s/base/fraud.env": f"{line}\n",
    }


def container(variable: str) -> dict[str, str]:
    spec = f"{{containers: [{{name: c, image: fraud, env: [{variable}]}}]}}"
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: fraud}\n"
    return {
        **OVER,
        BASE: "resources: [d.yaml]",
        "k8s/base/d.yaml": f"{head}spec: {{template: {{spec: {spec}}}}}\n",
    }


ADDRESS = "redis://:hunter2@features.internal:6379/0"
SECRET = {
    "an address among the literals": generated(f"FEATURE_STORE={ADDRESS}"),
    "the variable, with any value": generated("FEATURE_STORE_URL=redis://features.internal"),
    "a password among the literals": generated("STORE_PASSWORD=hunter2"),
    "in an env file": written("FEATURE_STORE_PASSWORD=hunter2"),
    "with a user": written("BROKER=amqp://fraud:hunter2@broker.internal/%2f"),
    "in base64": written("STORE=cmVkaXM6Ly86aHVudGVyMkBmZWF0dXJlcy5pbnRlcm5hbDo2Mzc5LzA="),
    "a token": written("GITHUB_TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    "a key in camels": generated("storeApiKey=1234"),
    "in a file that nothing uses": {**OVER, BASE: "{}", "k8s/old.env": "export DB_PASSWORD='hunter2'\n"},
    "in a comment": {**OVER, BASE: f"# {ADDRESS}\n"},
    "in the container": container("{name: STORE_SECRET, value: hunter2}"),
    "a private key": {**OVER, BASE: "{}", "k8s/base/key.pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"},
}
NO_SECRET = {
    "a reference": container("{name: FEATURE_STORE_URL, valueFrom: {secretKeyRef: {name: s, key: url}}}"),
    "names and numbers of secrets": written(
        "SECRET_NAME=fraud-feature-store\nTOKEN_SECONDS=60\nMAX_TOKENS=9"
    ),
    "a path to one": written("STORE_PASSWORD_FILE=/run/secrets/store"),
    "an address without a password": written("MODEL_URL=https://models.internal:8443/a@b"),
    "a placeholder": {**OVER, BASE: "# url: redis://:<password>@features.internal\n"},
    "an empty value": written("STORE_PASSWORD="),
    "a digest": generated("CODE=sha256:5a1c0de45a1c0de45a1c0de45a1c0de45a1c0de45a1c0de45a1c0de45a1c0de4"),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[dict[str, ModuleType]]:
    """Modules of the lab by name; they are named as siblings name them."""
    own = {path.stem for path in CHECKS.glob("*.py")}
    kept = {name: sys.modules.pop(name) for name in own if name in sys.modules}
    sys.path.insert(0, str(CHECKS))
    try:
        yield {name: importlib.import_module(name) for name in ("leaks", "submission")}
    finally:
        sys.path.remove(str(CHECKS))
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


@pytest.mark.parametrize("case", SECRET)
def test_a_secret_value(case: str, lab: dict[str, ModuleType]) -> None:
    found = list(lab["leaks"].secrets_in(SECRET[case]))
    assert found and not any("hunter2" in part for one in found for part in one)


@pytest.mark.parametrize("case", NO_SECRET)
def test_no_secret_value(case: str, lab: dict[str, ModuleType]) -> None:
    assert list(lab["leaks"].secrets_in(NO_SECRET[case])) == []


def test_long_lines_take_no_long_time(lab: dict[str, ModuleType]) -> None:
    for text in (
        "a" * 100_000,
        "a://" * 25_000,
        " " * 100_000 + "=",
        "-----BEGIN " * 9_000,
        "redis://" + ":" * 90_000,
    ):
        assert list(lab["leaks"].secrets_in({"k8s/x.env": text, "k8s/x.yaml": text})) == []


def test_a_kubectl_that_does_not_end_is_not_the_files_fault(lab: dict[str, ModuleType]) -> None:
    class Slow:
        def run(self, *words: str, timeout: float) -> Any:
            return SimpleNamespace(killed="time", status=-9)

    kubectl = lab["submission"].Kubectl(SimpleNamespace(_tier="embedded"), Slow())
    with pytest.raises(CouldNotCheck, match="kustomize"):
        kubectl._run("kustomize", "k8s/overlays/prod")
