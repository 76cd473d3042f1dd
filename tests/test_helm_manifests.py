"""What the lab package_with_helm reads in rendered objects, case by case: variables, selectors, nulls, layers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from labs.grading.evidence import CouldNotCheck, Mismatch

LAB = Path(__file__).resolve().parent.parent / "stage2_cloud" / "05_package_with_helm"
OWN = (
    "manifests",
    "helm_inside",
    "helm_cluster",
    "helm_runs",
    "company",
    "likeness",
    "reading",
    "renders",
    "wrong_values",
    "server",
)


@pytest.fixture(scope="module")
def manifests() -> Iterator[ModuleType]:
    yield from _loaded("manifests")


@pytest.fixture(scope="module")
def helm_inside() -> Iterator[ModuleType]:
    yield from _loaded("helm_inside")


@pytest.fixture(scope="module")
def helm_runs() -> Iterator[ModuleType]:
    yield from _loaded("helm_runs")


@pytest.fixture(scope="module")
def likeness() -> Iterator[ModuleType]:
    yield from _loaded("likeness")


def _loaded(name: str) -> Iterator[ModuleType]:
    """A module of the lab's checks, and nothing of it left afterwards."""
    sys.path.insert(0, str(LAB / "checks"))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(LAB / "checks"))
        for one in OWN:
            sys.modules.pop(one, None)


MAPS = {"one": {"A": "1", "B": "2"}, "two": {"B": "3"}}
ENVIRONMENTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"env": [{"name": "A"}]}, {"A": ""}),
    ({"envFrom": [{"configMapRef": {"name": "one"}}]}, {"A": "1", "B": "2"}),
    (
        {"envFrom": [{"configMapRef": {"name": "one"}}, {"configMapRef": {"name": "two"}}]},
        {"A": "1", "B": "3"},
    ),
    ({"envFrom": [{"prefix": "X_", "configMapRef": {"name": "two"}}]}, {"X_B": "3"}),
    ({"envFrom": [{"configMapRef": {"name": "two"}}], "env": [{"name": "B", "value": "4"}]}, {"B": "4"}),
    ({"envFrom": [{"secretRef": {"name": "s"}}]}, {}),
    ({"env": [{"name": "C", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "A"}}}]}, {"C": "1"}),
    ({"env": [{"name": "C", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "A"}}}]}, {"C": None}),
    ({"env": [{"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, {"C": "secret s/k"}),
    (
        {"env": [{"name": "A", "value": "$(B) $(C)"}, {"name": "C", "value": "$(A)$$(A)"}]},
        {"A": "$(B) $(C)", "C": "$(B) $(C)$(A)"},
    ),
    ({"env": [{"name": "A", "value": "$$ $ $${B} $x ) $( $$$$"}]}, {"A": "$ $ ${B} $x ) $( $$"}),
    (
        {"envFrom": [{"configMapRef": {"name": "two"}}], "env": [{"name": "A", "value": "$(B)"}]},
        {"B": "3", "A": "3"},
    ),
]


@pytest.mark.parametrize(("container", "wanted"), ENVIRONMENTS)
def test_environments(manifests: ModuleType, container: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert manifests.environment({"containers": [container]}, MAPS) == wanted


POD = {"app": "fraud", "role": "server"}
SELECTORS: list[tuple[dict[str, Any] | None, bool]] = [
    (None, False),
    ({}, False),
    ({"app": "fraud"}, True),
    ({"app": "fraud", "role": "check"}, False),
    ({"matchLabels": {"app": "fraud", "role": "server"}}, True),
    ({"matchLabels": {"tier": "web"}}, False),
    ({"matchExpressions": [{"key": "role", "operator": "In", "values": ["server", "web"]}]}, True),
    ({"matchExpressions": [{"key": "role", "operator": "NotIn", "values": ["server"]}]}, False),
    ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, True),
    ({"matchExpressions": [{"key": "role", "operator": "Exists"}]}, True),
    ({"matchExpressions": [{"key": "role", "operator": "DoesNotExist"}]}, False),
    ({"matchLabels": {"app": "fraud"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
    ({"matchExpressions": [{"key": "role", "operator": "Like", "values": ["s"]}]}, False),
]


@pytest.mark.parametrize(("selector", "wanted"), SELECTORS)
def test_selectors(manifests: ModuleType, selector: dict[str, Any] | None, wanted: bool) -> None:
    assert manifests.selects(selector, POD) is wanted


def test_nulls_and_differences_are_found_by_path(manifests: ModuleType) -> None:
    assert list(manifests.nulls({"a": [{"b": None}, 1], "c": None, "d": {}, "e": ""})) == ["a[0].b", "c"]
    assert manifests.difference({"a": [1, 2]}, {"a": [1, 3]}) == "a[1]"
    assert manifests.difference({"a": 1}, {"a": 1, "b": 2}) == "b (only in one of them)"
    assert manifests.difference({"a": 1}, {"a": "1"}) == "a"
    assert manifests.difference({"a": [1]}, {"a": [1, 1]}) == "a"
    assert manifests.difference({"a": {"b": [None]}}, {"a": {"b": [None]}}) is None


def test_hooks(manifests: ModuleType) -> None:
    hook = {"metadata": {"annotations": {"helm.sh/hook": "pre-install, pre-upgrade"}}}
    assert manifests.hooks_of(hook) == {"pre-install", "pre-upgrade"}
    assert manifests.hooks_of({"metadata": {}}) == set()


def test_layers_of_values_are_merged_as_helm_does(helm_inside: ModuleType) -> None:
    """Maps are merged, lists and all else are replaced (Helm documentation, "Values Files")."""
    below: dict[str, Any] = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert helm_inside.merged(below, {"a": {"c": [3]}, "e": 2}) == {"a": {"b": 1, "c": [3]}, "d": 1, "e": 2}
    assert helm_inside.merged(below, {"a": "text"}) == {"a": "text", "d": 1}
    assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


def test_rendered_files_are_cut_where_helm_cuts_them(helm_inside: ModuleType) -> None:
    text = 'a: 1\n---\nb: "--- no"\nc: |\n  ---\n  d\n--- # comment\ne: 2\n'
    assert [part.strip() for part in helm_inside.SPLIT.split(text)] == [
        "a: 1",
        'b: "--- no"\nc: |\n  ---\n  d',
        "# comment\ne: 2",
    ]


class _Slow:
    """A sandbox in which nothing ends in time."""

    def give(self, name: str, data: object) -> str:
        return name

    def run(self, *words: str, **limits: object) -> SimpleNamespace:
        return SimpleNamespace(status=-9, killed="time")


def test_a_slow_machine_is_nobodys_fault(helm_runs: ModuleType) -> None:
    """A template that does not end is found when the chart is rendered; later it is the machine."""
    with pytest.raises(CouldNotCheck, match="less busy"):
        helm_runs.run(_Slow(), [], rendered=True)
    with pytest.raises(Mismatch):
        helm_runs.run(_Slow(), [])


def test_the_namespace_and_hashes_are_no_difference(likeness: ModuleType) -> None:
    """What an environment may differ in is taken out; an annotation of one environment stays."""

    def things(space: str, name: str, notes: dict[str, str]) -> list[dict[str, Any]]:
        subjects = [{"kind": "ServiceAccount", "name": "a", "namespace": space}]
        pod = {"metadata": {"annotations": notes}, "spec": {"containers": []}}
        return [
            {"kind": "RoleBinding", "metadata": {"name": "a", "namespace": space}, "subjects": subjects},
            {"kind": "Job", "metadata": {"name": name}, "spec": {"template": pod}},
        ]

    env, hashes = SimpleNamespace(host="h"), {"sum"}
    one = likeness.reduced(things("s-1", "a-1f", {"sum": "x"}), env, "s-1", hashes)
    other = likeness.reduced(things("s-2", "a-2e", {"sum": "y"}), env, "s-2", hashes)
    more = likeness.reduced(things("s-2", "a-2e", {"sum": "y", "scrape": "true"}), env, "s-2", hashes)
    assert one == other
    assert other != more
