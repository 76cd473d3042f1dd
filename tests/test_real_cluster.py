"""A cluster that KUBECONFIG names is asked by dry runs, and nothing in it changes. Our API server stands in for one."""

from __future__ import annotations

import copy
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml
from faulty import LAB_TOML, make_lab, make_work
from test_kubernetes_clients import MANIFESTS, Running, started

from labs.grading import Grader
from labs.grading.evidence import CouldNotCheck, Mismatch
from labs.grading.real_cluster import RealCluster
from labs.machine import EMBEDDED, LOCAL
from labs.results import LabResult, State

THINGS = list(yaml.safe_load_all(MANIFESTS))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = started(tmp_path_factory.mktemp("kubernetes") / "data")
    yield found
    found.process.terminate()
    assert found.process.wait(10) == 0


@pytest.fixture
def kubeconfig(server: Running, tmp_path: Path) -> dict[str, Any]:
    """As a real cluster's: with another name than that of ours."""
    config: dict[str, Any] = yaml.safe_load(server.kubeconfig.read_text())
    config["clusters"][0]["name"] = config["contexts"][0]["context"]["cluster"] = "kind-nukkad"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    return config


@pytest.fixture
def used() -> list[str]:
    return []


@pytest.fixture
def real(
    kubeconfig: dict[str, Any], used: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> RealCluster:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.chdir(tmp_path)
    return RealCluster(LOCAL, lambda: used.append("used"))


def names(server: Running) -> set[tuple[str, str]]:
    api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(server.kubeconfig)))
    found = [api.list_namespace(), api.list_config_map_for_all_namespaces()]
    return {(one.metadata.namespace or "", one.metadata.name) for many in found for one in many.items}


def test_it_takes_what_is_right_and_keeps_nothing(
    server: Running, real: RealCluster, used: list[str]
) -> None:
    before = names(server)
    real.must_take("kubectl apply", THINGS)  # their namespace is not there: it is only tried as well
    assert used == ["used"] and names(server) == before


def test_it_names_the_object_that_is_refused_and_why(real: RealCluster) -> None:
    wrong: list[dict[str, Any]] = copy.deepcopy(THINGS)
    wrong[2]["spec"]["template"]["spec"]["containers"][0]["imagePullpolicy"] = "Always"
    with pytest.raises(Mismatch) as refused:
        real.must_take("kubectl apply -k prod", wrong)
    finding = refused.value.finding
    assert finding.did == "kubectl apply -k prod, as a dry run on the cluster of KUBECONFIG"
    assert finding.wanted == "Deployment scorer is accepted" and "imagePullpolicy" in finding.got


@pytest.mark.parametrize(("tier", "config"), [(EMBEDDED, "there"), (LOCAL, "")])
def test_without_a_cluster_and_at_the_embedded_tier_nothing_is_asked(
    tier: str, config: str, used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", config)
    RealCluster(tier, lambda: used.append("used")).must_take("kubectl apply", THINGS)
    assert used == []


def test_the_stand_in_of_labs_up_is_no_real_cluster(
    server: Running, used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    RealCluster(LOCAL, lambda: used.append("used")).must_take("kubectl apply", [{"kind": "nonsense"}])
    assert used == []


def test_a_cluster_that_cannot_say_is_no_fault_of_the_learners(
    server: Running, kubeconfig: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    config = kubeconfig
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = copy.deepcopy(config)
        dead["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        stranger = copy.deepcopy(config)
        stranger["users"][0]["user"] = {"token": "nobody knows it"}
        for number, one in enumerate((dead, stranger, {"no": "kubeconfig"})):
            file = tmp_path / f"config-{number}"
            file.write_text(yaml.safe_dump(one))
            monkeypatch.setenv("KUBECONFIG", str(file))
            with pytest.raises(CouldNotCheck, match="cluster of KUBECONFIG"):
                RealCluster(LOCAL, lambda: None).must_take("kubectl apply", THINGS)
        file.write_text("clusters: [")
        with pytest.raises(CouldNotCheck, match="cluster of KUBECONFIG"):
            RealCluster(LOCAL, lambda: None).must_take("kubectl apply", THINGS)
        core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(server.kubeconfig)))
        core.create_namespaced_service_account("default", {"metadata": {"name": "guest"}})
        token = core.create_namespaced_service_account_token("guest", "default", {"spec": {}}).status.token
        stranger["users"][0]["user"] = {"token": token}
        file.write_text(yaml.safe_dump(stranger))
        monkeypatch.setenv("KUBECONFIG", str(file))
        with pytest.raises(CouldNotCheck, match=r"user may not do this there: .*cannot patch resource"):
            RealCluster(LOCAL, lambda: None).must_take("kubectl apply", THINGS)
        unknown = [{"apiVersion": "autoscaling/v9", "kind": "Crystal", "metadata": {"name": "ball"}}]
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        with pytest.raises(CouldNotCheck, match="Crystal"):
            RealCluster(LOCAL, lambda: None).must_take("kubectl apply", unknown)


CHECKS = '''
from labs.checks import check


@check(points=4)
def is_taken(work, real_cluster):
    """is taken by a real cluster"""
    real_cluster.must_take("kubectl apply", [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "A"}}])
'''


def test_a_check_asks_it_at_the_local_tier_alone(
    kubeconfig: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab = make_lab(tmp_path / "course", checks=CHECKS, toml=LAB_TOML)
    monkeypatch.setenv("KUBECONFIG", os.path.relpath(tmp_path / "kubeconfig"))

    def graded(tier: str) -> LabResult:
        with Grader(tmp_path, tier=tier) as grader:
            return grader.grade(lab, make_work(tmp_path / tier))

    assert graded(EMBEDDED).state is State.PASSED
    result = graded(LOCAL)
    assert result.state is State.FAILED and result.tier == LOCAL
    assert result.checks[0].finding is not None and '"A"' in result.checks[0].finding.got
