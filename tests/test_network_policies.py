"""The evaluator of network policies in the lab that locks a cluster down, case by case.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/ and the API reference of
networking.k8s.io/v1. Each case is one sentence of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LAB = next((Path(__file__).parent.parent / "stage2_cloud").glob("*_lock_down_the_cluster"))
SPACES = {
    "here": {"kubernetes.io/metadata.name": "here", "team": "a"},
    "there": {"kubernetes.io/metadata.name": "there", "team": "b"},
}
WEB: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "web"}}}
THERE: dict[str, Any] = {"namespaceSelector": {"matchLabels": {"team": "b"}}}


@pytest.fixture(scope="module")
def netpol() -> Iterator[Any]:
    sys.path.insert(0, str(LAB / "checks"))
    import netpol as found  # type: ignore[import-not-found]

    yield found
    sys.path.remove(str(LAB / "checks"))


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "here"}, "spec": {"podSelector": {}, **spec}}


def peers(netpol: Any) -> dict[str, Any]:
    ports = {"http": (80, "TCP")}
    return {
        "web": netpol.Peer("10.1.0.1", "here", {"app": "web"}, ports),
        "db": netpol.Peer("10.1.0.2", "here", {"app": "db"}, ports),
        "their web": netpol.Peer("10.2.0.1", "there", {"app": "web"}, ports),
        "their db": netpol.Peer("10.2.0.2", "there", {"app": "db"}, ports),
        "outside": netpol.Peer("192.0.2.7"),
    }


def into(*rules: Any) -> dict[str, Any]:
    return policy(policyTypes=["Ingress"], ingress=list(rules))


def out(*rules: Any) -> dict[str, Any]:
    return policy(policyTypes=["Egress"], egress=list(rules))


TO_DB = {"podSelector": {"matchLabels": {"app": "db"}}}
NEAR, EVERY = {"podSelector": {}}, {"namespaceSelector": {}}
LESS = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/28"]}}
BLOCK = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/30"]}}
CASES: list[tuple[str, list[Any], str, str, int, str, bool]] = [
    # what it says, policies, from, to, port, protocol, whether it goes through
    ("without a policy everything is open", [], "their db", "web", 80, "TCP", True),
    ("an isolated pod without a rule gets nothing", [into()], "web", "db", 80, "TCP", False),
    ("isolation of ingress is not one of egress", [into()], "web", "their db", 80, "TCP", True),
    ("a policy is about its own namespace", [into()], "web", "their web", 80, "TCP", True),
    ("a policy is about the pods that it selects", [policy(**TO_DB)], "db", "web", 80, "TCP", True),
    ("a rule without from lets everybody in", [into({})], "outside", "web", 80, "TCP", True),
    ("an empty list of from does so as well", [into({"from": []})], "their db", "web", 80, "TCP", True),
    ("an empty podSelector is every pod near", [into({"from": [NEAR]})], "db", "web", 80, "TCP", True),
    ("and of no other namespace", [into({"from": [NEAR]})], "their db", "web", 80, "TCP", False),
    ("an empty namespaceSelector is every pod", [into({"from": [EVERY]})], "their db", "web", 80, "TCP", True),
    ("but nothing outside", [into({"from": [EVERY]})], "outside", "web", 80, "TCP", False),
    ("two selectors in one item: both", [into({"from": [{**THERE, **WEB}]})], "their web", "db", 80, "TCP", True),
    ("not one of them", [into({"from": [{**THERE, **WEB}]})], "their db", "db", 80, "TCP", False),
    ("nor the other one", [into({"from": [{**THERE, **WEB}]})], "web", "db", 80, "TCP", False),
    ("two items: either", [into({"from": [THERE, WEB]})], "their db", "db", 80, "TCP", True),
    ("a podSelector alone means the own namespace", [into({"from": [THERE, WEB]})], "web", "db", 80, "TCP", True),
    ("policies add up", [into(), into({"from": [WEB]})], "web", "db", 80, "TCP", True),
    ("types: Ingress if none is given", [policy()], "web", "db", 80, "TCP", False),
    ("types: no Egress if none is given and no rule", [policy()], "web", "their db", 80, "TCP", True),
    ("types: Egress with a rule", [policy(egress=[{"to": [TO_DB]}])], "web", "their web", 80, "TCP", False),
    ("Egress alone leaves ingress open", [out({"to": [TO_DB]})], "web", "db", 80, "TCP", True),
    ("an empty list of egress closes it", [out()], "web", "their db", 80, "TCP", False),
    ("both ends must let it through", [into({"from": [WEB]}), out()], "web", "db", 80, "TCP", False),
    ("a port", [into({"ports": [{"port": 80}]})], "web", "db", 80, "TCP", True),
    ("another port", [into({"ports": [{"port": 80}]})], "web", "db", 81, "TCP", False),
    ("the protocol is TCP", [into({"ports": [{"port": 53}]})], "web", "db", 53, "UDP", False),
    ("or what it says", [into({"ports": [{"port": 53, "protocol": "UDP"}]})], "web", "db", 53, "UDP", True),
    ("a protocol alone is all its ports", [into({"ports": [{"protocol": "UDP"}]})], "web", "db", 99, "UDP", True),
    ("a range holds its last port", [into({"ports": [{"port": 80, "endPort": 90}]})], "web", "db", 90, "TCP", True),
    ("and not the next one", [into({"ports": [{"port": 80, "endPort": 90}]})], "web", "db", 91, "TCP", False),
    ("a name is a port of the target", [into({"ports": [{"port": "http"}]})], "web", "db", 80, "TCP", True),
    ("a name that it has not", [into({"ports": [{"port": "metrics"}]})], "web", "db", 80, "TCP", False),
    ("in egress too", [out({"ports": [{"port": "http"}]})], "web", "their db", 80, "TCP", True),
    ("ports and peers: both", [into({"from": [WEB], "ports": [{"port": 81}]})], "web", "db", 80, "TCP", False),
    ("a block", [out({"to": [BLOCK]})], "web", "outside", 80, "TCP", True),
    ("its exception", [out({"to": [LESS]})], "web", "outside", 80, "TCP", False),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[one[0] for one in CASES])
def test_a_connection_goes_as_documented(netpol: Any, case: Any) -> None:
    _, policies, source, target, port, protocol, wanted = case
    town = peers(netpol)
    network = netpol.Network(tuple(policies), SPACES)
    assert network.lets(town[source], town[target], port, protocol) is wanted


def test_a_block_covers_pods_only_where_the_caller_says_so(netpol: Any) -> None:
    town = peers(netpol)
    policies = (out({"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}),)
    for covers in (False, True):
        network = netpol.Network(policies, SPACES, blocks_cover_pods=covers)
        assert network.lets(town["web"], town["their db"], 80) is covers
