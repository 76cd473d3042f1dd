"""Questions that a learner's own objects suggest: whatever a rule, a binding or a policy names is tried as well.

A table of questions cannot hold a name that only a learner has thought of. So every name that stands in their roles,
bindings and network policies becomes a question of its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from kube import SPACE, Kube, Obj, Who, account
from labs.services.kubernetes.users import Attributes
from netpol import Network, Peer
from paths import NAME, OWN, Connection, Town
from rights import Subject, strangers, subjects
from submission import APPS, METRICS

_ANY = "any"


def _learners(kube: Kube, *kinds: str) -> Iterator[Obj]:
    for kind in kinds:
        for one in kube.items(kind):
            # Also a shipped one, if it was applied anew: whoever applies is among its managers.
            if any(field.get("manager") == "release" for field in one["metadata"].get("managedFields") or []):
                yield one


def requests(kube: Kube) -> Iterator[Attributes]:
    """Every request that a learner's rules name, in the namespace, in another one, and in the whole cluster."""
    for role in _learners(kube, "Role", "ClusterRole"):
        for rule in role.get("rules") or []:
            for verb in _words(rule.get("verbs")):
                for path in rule.get("nonResourceURLs") or []:
                    yield Attributes(verb, path=path.replace("*", "/any"))
                for group in _words(rule.get("apiGroups")):
                    for full in _words(rule.get("resources")):
                        resource, _, sub = full.partition("/")
                        for name in (*(rule.get("resourceNames") or []), "", _ANY):
                            for space in (SPACE, "payments", ""):
                                yield Attributes(verb, group, resource, sub, space, name)


def _words(found: list[str] | None) -> list[str]:
    return [_ANY if one == "*" else one.replace("*/", f"{_ANY}/") for one in found or []]


def others(kube: Kube, person: str) -> list[Subject]:
    """Everybody whom a learner's bindings name, and the contract does not."""
    known = {one.title for one in (*subjects(person), *strangers(person))}
    found = {}
    for binding in _learners(kube, "RoleBinding", "ClusterRoleBinding"):
        for one in binding.get("subjects") or []:
            name = one["name"]
            # An account is a user with a name of this form. A binding may name it in either way.
            prefix, _, long = name.partition("system:serviceaccount:")
            if one["kind"] == "ServiceAccount" or (one["kind"] == "User" and not prefix and ":" in long):
                space = one.get("namespace") or SPACE
                if one["kind"] == "User":
                    space, _, name = long.partition(":")
                subject = Subject(f"ServiceAccount {space}/{name}", account(space, name))
            elif one["kind"] == "Group":
                subject = Subject(f"the group {name}", Who(person, (name, "system:authenticated")))
            else:
                subject = Subject(f"the user {name}", Who(name, ("system:authenticated",)))
            if subject.title not in known:
                found[subject.title] = subject
    return list(found.values())


def connections(kube: Kube, town: Town, space: str | None) -> list[Connection]:
    """Those with pods of the namespace, with places outside the cluster (""), or with pods of others (None)."""
    found = []
    for one in _connections(kube, town):
        ends = {one.source.space, one.target.space}
        near = SPACE if ends == {SPACE} else "" if "" in ends else None
        if near == space:
            found.append(one)
    return found


def _connections(kube: Kube, town: Town) -> Iterator[Connection]:
    """Connections with pods and places as a learner's policies describe them, at their ports and beside them.

    `later` are pods that a policy is about, and that are none of the three: they may come tomorrow.
    """
    policies = kube.items("NetworkPolicy")
    peers, ports, later = list[Peer](), {*APPS.values(), METRICS, 53}, list[Peer]()
    for policy in policies:
        selected = _like({"podSelector": policy["spec"].get("podSelector")}, town)
        known = [one.labels for one in later]
        later += [one for one in selected if one.labels.get(NAME) not in APPS and one.labels not in known]
        for kind, key in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(kind) or []:
                for one in rule.get("ports") or []:
                    for edge in (one.get("port"), one.get("endPort")):
                        if isinstance(edge, int):
                            ports |= {port for port in (edge - 1, edge, edge + 1) if 0 < port < 65536}
                for one in rule.get(key) or []:
                    peers += _like(one, town)
    for peer in (*peers, *later, town.prometheus):
        for app in (*town.apps.values(), *later):
            for port in sorted(ports):
                for protocol in ("TCP", "UDP"):
                    for way in (Connection(peer, app, port, protocol), Connection(app, peer, port, protocol)):
                        if not is_meant(way, town):
                            yield way


def _like(peer: Obj, town: Town) -> Iterator[Peer]:
    """Pods that a peer of a policy selects: in the namespaces that it names, or in a new one with its labels."""
    if "ipBlock" in peer:
        net = ipaddress.ip_network(peer["ipBlock"]["cidr"], strict=False)
        for place in (1, 77, 200, 254, net.num_addresses // 2):
            yield town.place(str(net[min(place, net.num_addresses - 1)]), "an address of your block,")
        return
    spaces, pods = _labels(peer.get("namespaceSelector")), _labels(peer.get("podSelector"))
    names = spaces.pop(OWN, None)
    if "namespaceSelector" not in peer:
        names = [SPACE]
    new = [town.new_space("like", **{key: values[0] for key, values in spaces.items()})]
    for space in names or new:
        town.spaces.setdefault(space, {OWN: space})
        first = {key: values[0] for key, values in pods.items()}
        others = [{**first, key: value} for key, values in pods.items() for value in values[1:]]
        for labels in (first, *others, {NAME: "unseen"}):
            yield town.pod(space, labels, f"a pod with {labels} in {space.rpartition('-')[0] or space}")


def _labels(selector: Obj | None) -> dict[str, list[str]]:
    """What a selector asks for: key → values."""
    found = {key: [value] for key, value in ((selector or {}).get("matchLabels") or {}).items()}
    for one in (selector or {}).get("matchExpressions") or []:
        if one["operator"] in ("In", "Exists"):
            found.setdefault(one["key"], []).extend(one.get("values") or ["some"])
    return found


def is_meant(one: Connection, town: Town) -> bool:
    """Whether the contract's table holds this connection."""
    return Network(CONTRACT, town.spaces).lets(one.source, one.target, one.port, one.protocol)


def _pods(name: str, space: str = "", key: str = NAME) -> Obj:
    found: Obj = {"podSelector": {"matchLabels": {key: name}}}
    if space:
        found["namespaceSelector"] = {"matchLabels": {OWN: space}}
    return found


def _policy(name: str, into: list[tuple[Obj, int]], out: list[tuple[Obj, int]]) -> Obj:
    return {
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            "podSelector": {"matchLabels": {NAME: name}} if name else {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [peer], "ports": [{"port": port}]} for peer, port in into],
            "egress": [{"to": [peer], "ports": [{"port": port}]} for peer, port in out],
        },
    }


_PROMETHEUS = (_pods("prometheus", "monitoring"), METRICS)
_DNS = _pods("kube-dns", "kube-system", "k8s-app")
_NAMES = _policy("", [], [(_DNS, 53)])
_NAMES["spec"]["egress"][0]["ports"].append({"port": 53, "protocol": "UDP"})
_DATABASE = {"ipBlock": {"cidr": "10.20.30.0/24", "except": ["10.20.30.128/25"]}}
_API = {"ipBlock": {"cidr": "172.20.0.1/32"}}
CONTRACT = (
    _NAMES,
    _policy(
        "gateway", [(_pods("proxy", "edge"), APPS["gateway"]), _PROMETHEUS], [(_pods("fraud"), APPS["fraud"])]
    ),
    _policy(
        "fraud",
        [(_pods("gateway"), APPS["fraud"]), _PROMETHEUS],
        [(_pods("feature-store"), APPS["feature-store"]), (_DATABASE, 5432), (_API, 443)],
    ),
    _policy("feature-store", [(_pods("fraud"), APPS["feature-store"]), _PROMETHEUS], []),
)
"""The contract's table, as policies."""
