"""Plans about who may come in: doors that open, doors that were open all the time, and doors that nobody can see yet.

Sources: https://developer.hashicorp.com/terraform/internals/json-format (`after_unknown`, `configuration`) and
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html (IPv4 and IPv6 have rules of their own).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plans import Case, Change, Drawn

EVERYBODY = "0.0.0.0/0"


def alone(block: str, port: int | None, protocol: str = "tcp", group: str = "sg-1") -> dict[str, Any]:
    """An `aws_vpc_security_group_ingress_rule`, as it is before or after a plan."""
    family = "cidr_ipv6" if ":" in block else "cidr_ipv4"
    return {
        "security_group_id": group,
        "cidr_ipv4": None,
        "cidr_ipv6": None,
        family: block,
        "ip_protocol": protocol,
        "from_port": port,
        "to_port": port,
        "description": None,
    }


def first_build(one: Drawn, arguments: list[str]) -> tuple[list[Change], dict[str, Any]]:
    """A group as AWS provider 5 plans it where nothing is known yet, a rule beside it, and the configuration.

    `arguments` are those that the configuration gives to the group.
    """
    group = one.names["group"]
    door = "module.app.aws_vpc_security_group_ingress_rule.https"
    unknown = dict.fromkeys(("arn", "egress", "id", "ingress", "name_prefix", "owner_id", "vpc_id"), True)
    changes = [
        one.change("group", ["create"], None, {"name": "app", "tags": {}, "timeouts": None}, unknown),
        one.change(
            door,
            ["create"],
            None,
            {**alone(EVERYBODY, 443), "security_group_id": None},
            {"id": True, "arn": True, "security_group_id": True, "security_group_rule_id": True},
        ),
    ]
    written = {group: ["name", "vpc_id", *arguments], door: ["security_group_id", "cidr_ipv4"]}
    return changes, one.configuration(written)


def harmless(one: Drawn) -> Iterator[Case]:
    """Nothing opens that was closed before."""
    rule = "module.app.aws_vpc_security_group_ingress_rule.x"
    ssh, small = one.rule([EVERYBODY], 22), one.rule(["10.0.0.0/8"], 22)
    changes, configuration = first_build(one, ["description"])
    yield Case(
        "the first build: a group without rules of its own, and a rule beside it",
        one.plan(*changes, configuration=configuration),
        0,
    )
    source = {**one.rule([], 8080), "security_groups": []}
    yield Case(
        "a group whose rule names a group that is made with it",
        one.plan(
            one.change(
                "group",
                ["create"],
                None,
                one.group(source),
                {"id": True, "ingress": [{"cidr_blocks": [], "security_groups": [True]}]},
            ),
            configuration=one.configuration({one.names["group"]: ["name", "ingress"]}),
        ),
        0,
    )
    yield Case(
        "a tag of a group that has been open on 22 for years",
        one.plan(one.change("group", ["update"], one.group(ssh), one.group(ssh, tags={"a": "b"}))),
        0,
    )
    wide, narrow = one.rule([EVERYBODY], (20, 25)), one.rule([EVERYBODY], 22)
    yield Case(
        "a group that was open on 20–25, and now on 22 alone",
        one.plan(one.change("group", ["update"], one.group(wide), one.group(narrow))),
        0,
    )
    told = {**alone(EVERYBODY, 22), "description": "until 2027"}
    yield Case(
        "the description of a rule that was open before",
        one.plan(one.change(rule, ["update"], alone(EVERYBODY, 22), told)),
        0,
    )
    for block in ("10.0.0.0/8", "2001::/16"):
        yield Case(
            f"{block} on port 22 of the app",
            one.plan(one.change(rule, ["create"], None, alone(block, 22), {"id": True})),
            0,
        )
    yield Case(
        "10.0.0.0/8 on port 22, inline",
        one.plan(one.change("group", ["update"], one.group(), one.group(small))),
        0,
    )


def opened(one: Drawn) -> Iterator[Case]:
    """Something opens, beside something that was open, or in a form that is easy to overlook."""
    rule, group = "module.app.aws_vpc_security_group_ingress_rule.x", one.names["group"]
    ssh = one.rule([EVERYBODY], 22)

    def inline(title: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Case:
        plan = one.plan(one.change("group", ["update"], one.group(*before), one.group(*after)))
        return Case(title, plan, 1, frozenset({group}))

    yield inline("a second door of a group that is open on 22", [ssh], [ssh, one.rule([EVERYBODY], 3389)])
    yield inline("22 for IPv6 as well", [ssh], [ssh, one.rule(["::/0"], 22)])
    yield inline("UDP 443 for everybody", [], [one.rule([EVERYBODY], 443, "udp")])
    for block in ("8.0.0.0/7", "2000::/3", "2000::/15"):
        yield inline(f"{block} on port 22", [], [one.rule([block], 22)])
    before, after = alone(EVERYBODY, 22), alone(EVERYBODY, 22, group="sg-2")
    yield Case(
        "a rule that was open moves to another group",
        one.plan(one.change(rule, ["delete", "create"], before, after, {"id": True})),
        1,
        frozenset({rule}),
    )
    yield Case(
        "a rule that was open moves to a group that is made with it",
        one.plan(
            one.change(
                rule,
                ["delete", "create"],
                before,
                {**after, "security_group_id": None},
                {"security_group_id": True},
            )
        ),
        1,
        frozenset({rule}),
    )
    yield Case(
        "every protocol for everybody, in a rule of its own",
        one.plan(one.change(rule, ["create"], None, alone(EVERYBODY, None, "-1"), {"id": True})),
        1,
        frozenset({rule}),
    )


def hidden(one: Drawn) -> Iterator[Case]:
    """Who may come in is not known."""
    group, rule = one.names["group"], "module.app.aws_security_group_rule.x"
    changes, configuration = first_build(one, ["ingress"])
    yield Case(
        "a new group whose inline rules are known after the apply",
        one.plan(*changes, configuration=configuration),
        1,
        frozenset({group}),
    )
    yield Case(
        "a new group with unknown rules, in a plan whose configuration does not name it",
        one.plan(*changes),
        1,
        frozenset({group}),
    )
    part = {key: value for key, value in one.rule([], 22).items() if key != "cidr_blocks"}
    for unknown in (True, [True]):
        yield Case(
            f"the blocks of an inline rule are known after the apply, cidr_blocks: {str(unknown).lower()}",
            one.plan(
                one.change(
                    "group",
                    ["update"],
                    one.group(),
                    one.group(part),
                    {"ingress": [{"cidr_blocks": unknown}]},
                )
            ),
            1,
            frozenset({group}),
        )
    old = {"type": "ingress", "security_group_id": "sg-1", "protocol": "tcp", "from_port": 22, "to_port": 22}
    yield Case(
        "the blocks of an aws_security_group_rule are known after the apply",
        one.plan(one.change(rule, ["create"], None, old, {"ipv6_cidr_blocks": True})),
        1,
        frozenset({rule}),
    )
