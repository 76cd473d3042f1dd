"""Who may reach whom: what the rules of security groups come to, wherever they are written.

Source: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html. The rules of
all groups of an interface add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graph import Graph, Resource


@dataclass(frozen=True)
class Opening:
    """One source, one range of ports. `group` is the source when it is a security group of the graph."""

    source: str
    protocol: str
    first: int | None
    last: int | None
    where: str
    group: str = ""

    def __str__(self) -> str:
        ports = (
            "every port"
            if self.first is None
            else f"{self.first}"
            if self.first == self.last
            else f"{self.first}–{self.last}"
        )
        protocol = "" if self.protocol == "all" else f"{self.protocol} "
        return f"{self.source} on {protocol}{ports} ({self.where})"


def groups(graph: Graph, ids: Any) -> list[Resource]:
    """The security groups that these values refer to."""
    found = [graph.target(each) for each in ids or []]
    return [
        each
        for each in found
        if each is not None and each.type in ("aws_security_group", "aws_default_security_group")
    ]


def openings(graph: Graph, group: Resource) -> list[Opening]:
    """Every way in, from inline rules and from rules of their own."""
    found = [one for rule in group.blocks("ingress") for one in _inline(graph, group, rule, group.address)]
    for each in graph.about("aws_security_group_rule", "security_group_id", group):
        if each.get("type") == "ingress":
            rule = (
                {**each.inputs, "security_groups": [each.inputs["source_security_group_id"]]}
                if each.get("source_security_group_id")
                else each.inputs
            )
            found += _inline(graph, group, rule, each.address)
    for each in graph.about("aws_vpc_security_group_ingress_rule", "security_group_id", group):
        found += _alone(graph, each)
    return found


def _inline(graph: Graph, group: Resource, rule: dict[str, Any], where: str) -> Iterator[Opening]:
    ports = _ports(rule.get("protocol"), rule)
    for block in [*(rule.get("cidr_blocks") or []), *(rule.get("ipv6_cidr_blocks") or [])]:
        yield Opening(str(block), *ports, where)
    for _ in rule.get("prefix_list_ids") or []:
        yield Opening("a prefix list", *ports, where)
    for each in rule.get("security_groups") or []:
        yield _from_group(graph, each, ports, where)
    if rule.get("self") is True:
        yield Opening("itself", *ports, where, group.address)


def _alone(graph: Graph, rule: Resource) -> Iterator[Opening]:
    ports = _ports(rule.get("ip_protocol"), rule.inputs)
    for name in ("cidr_ipv4", "cidr_ipv6"):
        if rule.get(name):
            yield Opening(str(rule.get(name)), *ports, rule.address)
    if rule.get("prefix_list_id"):
        yield Opening("a prefix list", *ports, rule.address)
    if rule.get("referenced_security_group_id"):
        yield _from_group(graph, rule.get("referenced_security_group_id"), ports, rule.address)


def _from_group(graph: Graph, value: Any, ports: tuple[str, int | None, int | None], where: str) -> Opening:
    source = graph.target(value)
    if source is None:
        return Opening("an unknown security group", *ports, where)
    return Opening(source.address, *ports, where, source.address)


def _ports(protocol: Any, rule: dict[str, Any]) -> tuple[str, int | None, int | None]:
    name = {"6": "tcp", "-1": "all", "17": "udp"}.get(str(protocol).lower(), str(protocol).lower())
    if name == "all":
        return name, None, None
    return name, _whole(rule.get("from_port")), _whole(rule.get("to_port"))


def _whole(value: Any) -> int | None:
    return (
        int(value)
        if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdigit())
        else None
    )


def app_groups(graph: Graph) -> set[str]:
    """Addresses of the security groups of the app servers."""
    return {
        one.address
        for each in graph.of("aws_instance")
        for one in groups(graph, each.get("vpc_security_group_ids"))
    }


def balancer_groups(graph: Graph) -> set[str]:
    return {one.address for each in graph.of("aws_lb") for one in groups(graph, each.get("security_groups"))}


def database_groups(graph: Graph) -> set[str]:
    return {
        one.address
        for each in graph.of("aws_db_instance")
        for one in groups(graph, each.get("vpc_security_group_ids"))
    }


def port_of(database: Resource) -> int:
    """The database's port; 5432 is PostgreSQL's own."""
    return _whole(database.get("port")) or 5432
