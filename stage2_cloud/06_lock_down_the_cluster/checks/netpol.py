"""Whether network policies let one connection through: the semantics of NetworkPolicy, in one pure function.

Kubernetes stores policies; a network plugin enforces them. Source: https://kubernetes.io/docs/concepts/services-networking/
network-policies/ and the API reference of networking.k8s.io/v1. Its cases stand in tests/test_network_policies.py.

An ipBlock is meant for addresses outside the cluster. Whether it also covers pods differs between plugins, so a caller
says which: what must go through has to go through where it does not, what must not, where it does.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.services.kubernetes.selectors import matches

Obj = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """One end of a connection. Without a `space` it lies outside the cluster.

    Attributes: labels of the pod; ports by name, as (number, protocol); title for the feedback.
    """

    address: str
    space: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class Network:
    """The policies of a cluster, and the labels of its namespaces by name."""

    policies: tuple[Obj, ...]
    spaces: Mapping[str, Mapping[str, str]]
    blocks_cover_pods: bool = False

    def lets(self, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
        """Whether the egress side and the ingress side both let it through."""
        return self.side("Egress", source, target, target, port, protocol) and self.side(
            "Ingress", target, source, target, port, protocol
        )

    def side(self, kind: str, own: Peer, other: Peer, target: Peer, port: int, protocol: str) -> bool:
        """One side: an end without a policy of this type is open; otherwise one rule of one policy is enough."""
        mine = [one for one in self.policies if own.space and selects(one, own) and kind in types(one)]
        if not mine:
            return True
        return any(
            self._rule_lets(kind, rule, one, other, target, port, protocol)
            for one in mine
            for rule in one["spec"].get(kind.lower()) or []
        )

    def _rule_lets(
        self, kind: str, rule: Obj, policy: Obj, other: Peer, target: Peer, port: int, protocol: str
    ) -> bool:
        peers = rule.get("from" if kind == "Ingress" else "to")
        who = not peers or any(self._is(one, policy["metadata"]["namespace"], other) for one in peers)
        ports = rule.get("ports")
        return who and (not ports or any(port_fits(one, target, port, protocol) for one in ports))

    def _is(self, peer: Obj, own_space: str, other: Peer) -> bool:
        if block := peer.get("ipBlock"):
            return (self.blocks_cover_pods or not other.space) and in_block(block, other.address)
        if not other.space:
            return False
        spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
        if spaces is None:
            near = other.space == own_space
        else:
            near = _fits(spaces, self.spaces.get(other.space, {}))
        return near and (pods is None or _fits(pods, other.labels))


def types(policy: Obj) -> list[str]:
    """policyTypes; where they are not given: Ingress always, Egress if there is an egress rule."""
    spec = policy["spec"]
    return list(spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])])


def selects(policy: Obj, peer: Peer) -> bool:
    """Whether a policy is about a pod: of its own namespace, by its podSelector. An empty one means every pod."""
    return policy["metadata"]["namespace"] == peer.space and _fits(
        policy["spec"].get("podSelector") or {}, peer.labels
    )


def port_fits(wanted: Obj, target: Peer, port: int, protocol: str) -> bool:
    """A number, a range with endPort, or the name of a container's port. TCP unless it says otherwise."""
    if (wanted.get("protocol") or "TCP") != protocol:
        return False
    first = wanted.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        return target.ports.get(first) == (port, protocol)
    return int(first) <= port <= int(wanted.get("endPort") or first)


def in_block(block: Obj, address: str) -> bool:
    """In the cidr, and in none of its exceptions."""
    here = ipaddress.ip_address(address)
    return here in ipaddress.ip_network(block["cidr"], strict=False) and not any(
        here in ipaddress.ip_network(one, strict=False) for one in block.get("except") or []
    )


def _fits(selector: Obj, labels: Mapping[str, str]) -> bool:
    """A label selector; the empty one fits everything."""
    return True if not selector else bool(matches(selector, dict(labels)))
