"""What a state says of the rules of security groups: those in a group, and those that are resources of their own."""

from __future__ import annotations

from typing import Any

from drift_account import Rule

Apart = dict[tuple[str, str], list[Rule]]
"""(id of a group, `ingress` or `egress`) → its rules that are resources of their own."""
DIRECTIONS = {
    "aws_vpc_security_group_ingress_rule": "ingress",
    "aws_vpc_security_group_egress_rule": "egress",
}


def rules(written: list[dict[str, Any]] | None) -> list[Rule]:
    """Rules of a security group, one for each source."""
    found: list[Rule] = []
    for rule in written or []:
        protocol = str(rule.get("protocol"))
        ports = (0, 0) if protocol == "-1" else (rule.get("from_port") or 0, rule.get("to_port") or 0)
        sources = [
            *(rule.get("cidr_blocks") or []),
            *(rule.get("ipv6_cidr_blocks") or []),
            *(rule.get("security_groups") or []),
            *(rule.get("prefix_list_ids") or []),
            *(["self"] if rule.get("self") else []),
        ]
        found += [(protocol, *ports, source) for source in sources]
    return found


def rules_apart(described: list[dict[str, Any]]) -> Apart:
    """The list in a group was read before its other rules were made: it may hold them, or not yet."""
    found: Apart = {}
    for each in described:
        values, kind = each["values"], each["type"]
        if kind in DIRECTIONS:
            direction, inline = DIRECTIONS[kind], _as_inline(values)
        elif kind == "aws_security_group_rule":
            direction, inline = values["type"], _with_source(values, values.get("source_security_group_id"))
        else:
            continue
        found.setdefault((values["security_group_id"], direction), []).extend(rules([inline]))
    return found


def _as_inline(values: dict[str, Any]) -> dict[str, Any]:
    inline = {
        "protocol": values["ip_protocol"],
        "from_port": values.get("from_port"),
        "to_port": values.get("to_port"),
        "cidr_blocks": [one for one in (values.get("cidr_ipv4"), values.get("cidr_ipv6")) if one],
        "prefix_list_ids": [one for one in (values.get("prefix_list_id"),) if one],
    }
    return _with_source({**values, **inline}, values.get("referenced_security_group_id"))


def _with_source(rule: dict[str, Any], source: str | None) -> dict[str, Any]:
    if source is None:
        return rule
    if source == rule["security_group_id"]:
        return {**rule, "self": True}
    return {**rule, "security_groups": [source]}
