"""Plans that open a door or take a protection away, and plans about which not enough is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from plan_cases import many
from plans import Case, Drawn


def weaker(one: Drawn) -> Iterator[Case]:
    """Plans that open a door, or take a protection away. Nothing is destroyed."""
    app, base = one.names["group"], one.database()
    inner = one.rule(["10.0.0.0/16"], 8080)

    def update(title: str, where: str, before: Any, after: Any, unknown: Any = None) -> Case:
        return Case(
            title,
            one.plan(one.change(where, ["update"], before, after, unknown)),
            1,
            frozenset({one.names[where]}),
        )

    for block in ("0.0.0.0/0", "::/0", "0.0.0.0/1"):
        yield update(
            f"{block} on port 22 of the app",
            "group",
            one.group(inner),
            one.group(inner, one.rule([block], 22)),
        )
    yield update(
        "everything for everybody", "group", one.group(inner), one.group(one.rule(["0.0.0.0/0"], 0, "-1"))
    )
    yield update(
        "ports around 443 for everybody",
        "group",
        one.group(inner),
        one.group(one.rule(["0.0.0.0/0"], (400, 500))),
    )
    alone = {
        "security_group_id": "sg-1",
        "cidr_ipv4": "0.0.0.0/0",
        "cidr_ipv6": None,
        "ip_protocol": "tcp",
        "from_port": 5432,
        "to_port": 5432,
    }
    rule = one.names["rule"]
    yield Case(
        "a rule of its own that opens the database",
        one.plan(one.change("rule", ["create"], None, alone, {"id": True})),
        1,
        frozenset({rule}),
    )
    old = {
        "type": "ingress",
        "cidr_blocks": None,
        "ipv6_cidr_blocks": ["::/0"],
        "protocol": "tcp",
        "from_port": 443,
        "to_port": 443,
    }
    yield Case(
        "443 of the database for everybody",
        one.plan(one.change("data rule", ["create"], None, old, {"id": True})),
        1,
        frozenset({one.names["data rule"]}),
    )
    yield Case(
        "a group that is replaced by an open one",
        one.plan(
            one.change(
                "group", ["create", "delete"], one.group(inner), one.group(one.rule(["0.0.0.0/0"], 3389))
            )
        ),
        1,
        frozenset({app}),
    )
    for field, value in (
        ("deletion_protection", False),
        ("deletion_protection", None),
        ("backup_retention_period", 0),
        ("backup_retention_period", 1),
        ("backup_retention_period", 14),
        ("publicly_accessible", True),
        ("skip_final_snapshot", True),
        ("storage_encrypted", False),
    ):
        yield update(f"{field} becomes {value}", "database", base, one.database(**{field: value}))
    yield update(
        "versioning is suspended",
        "versioning",
        {"versioning_configuration": [{"status": "Enabled"}]},
        {"versioning_configuration": [{"status": "Suspended"}]},
    )
    four = dict.fromkeys(
        ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
    )
    yield update(
        "one of four public access blocks", "block", four, {**four, "restrict_public_buckets": False}
    )
    yield update(
        "force_destroy of the bucket",
        "bucket",
        {"bucket": "decisions", "force_destroy": False},
        {"bucket": "decisions", "force_destroy": True},
    )
    kms, plain = (
        [{"apply_server_side_encryption_by_default": [{"sse_algorithm": name}]}]
        for name in ("aws:kms", "AES256")
    )
    yield update("the bucket's own key", "encryption", {"rule": kms}, {"rule": plain})
    yield update(
        "the key is not rotated any more",
        "key",
        {"enable_key_rotation": True},
        {"enable_key_rotation": False},
    )
    fresh: list[tuple[str, dict[str, Any]]] = [
        ("versioning", {"versioning_configuration": [{"status": "Suspended"}]}),
        ("block", {**four, "block_public_acls": False}),
        ("bucket", {"bucket": "ledger", "force_destroy": True}),
        ("encryption", {"rule": plain}),
        ("key", {"description": "without rotation"}),
    ]
    for where, after in fresh:
        address = f"{one.names[where].rsplit('.', 1)[0]}.second"
        yield Case(
            f"something new without protection: {address.split('.')[-2]}",
            one.plan(one.change(address, ["create"], None, after, {"id": True})),
            1,
            frozenset({address}),
        )
    created = one.database(deletion_protection=False)
    yield Case(
        "a new database without protection",
        one.plan(one.change("module.data.aws_db_instance.second", ["create"], None, created, {"id": True})),
        1,
        frozenset({"module.data.aws_db_instance.second"}),
    )


# Where, field, and `after_unknown`. Source: https://developer.hashicorp.com/terraform/internals/json-format
NESTED: list[tuple[str, str, dict[str, Any]]] = [
    ("versioning", "status", {"versioning_configuration": [{"status": True}]}),
    (
        "encryption",
        "sse_algorithm",
        {"rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": True}]}]},
    ),
    ("block", "restrict_public_buckets", {"restrict_public_buckets": True}),
    ("bucket", "force_destroy", {"force_destroy": True}),
    ("key", "enable_key_rotation", {"enable_key_rotation": True}),
]


def doubtful(one: Drawn) -> Iterator[Case]:
    """Plans about which something decisive is not known, and plans that are none."""
    base, database = one.database(), frozenset({one.names["database"]})
    server = {"ami": "ami-1"}

    def hidden(field: str) -> dict[str, Any]:
        return {key: value for key, value in base.items() if key != field}

    for field in (
        "deletion_protection",
        "backup_retention_period",
        "publicly_accessible",
        "skip_final_snapshot",
        "storage_encrypted",
    ):
        yield Case(
            f"{field} is known after the apply",
            one.plan(one.change("database", ["update"], base, hidden(field), {field: True})),
            1,
            database,
        )
    rule = {"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22}
    yield Case(
        "who may come in is known after the apply",
        one.plan(one.change("rule", ["create"], None, rule, {"cidr_ipv4": True})),
        1,
        frozenset({one.names["rule"]}),
    )
    for where, field, unknown in NESTED:
        yield Case(
            f"{field} of {one.names[where].split('.')[-2]} is known after the apply",
            one.plan(one.change(where, ["create"], None, {"bucket": "decisions"}, unknown)),
            1,
            frozenset({one.names[where]}),
        )
    whole_plan = frozenset({"plan"})
    yield Case("21 changes", one.plan(*many(one, 21)), 1, whole_plan)
    gone = [
        one.change(f'module.app.aws_instance.this["n{at}"]', ["delete"], server, None) for at in range(21)
    ]
    yield Case("21 servers go", one.plan(*gone), 1, whole_plan)
    yield Case("6 changes", one.plan(*many(one, 6)), 1, whole_plan, ("--max-changes", "5"))
    other = one.plan(one.change("server", ["update"], server, {"ami": "ami-2"}))
    other["variables"]["environment"]["value"] = "staging"
    yield Case("a plan of staging", other, 1, frozenset({"plan"}))
    for title, ago in (("a plan of yesterday", {"hours": -13}), ("a plan of tomorrow", {"hours": 5})):
        yield Case(title, one.plan(timestamp=one.time(**ago)), 1, frozenset({"plan"}))
    whole = one.plan()
    without_time = {key: value for key, value in whole.items() if key != "timestamp"}
    yield Case("a plan that does not say when it was made", without_time, 2)
    yield Case("a plan that failed", {**whole, "errored": True}, 2)
    unsaid = {key: value for key, value in whole.items() if key != "errored"}
    yield Case("a plan that does not say whether it failed", unsaid, 2)
    yield Case("a plan that is not complete", {**whole, "complete": False}, 2)
    yield Case("a plan in format 2.0", {**whole, "format_version": "2.0"}, 2)
    yield Case(
        "a plan without resource_changes",
        {key: value for key, value in whole.items() if key != "resource_changes"},
        2,
    )
    odd = one.change("database", ["recreate"], base, base)
    yield Case("an action that nobody knows", one.plan(odd), 2)
    yield Case("a plan that says no environment", {**whole, "variables": {}}, 2)
    yield Case("a list", [whole], 2)


def no_plans(one: Drawn) -> Iterator[Case]:
    """Files that hold no plan."""
    text = json.dumps(one.plan())
    for title, cut in (
        ("a plan that is cut off", text[: len(text) // 2]),
        ("an empty file", ""),
        ("no JSON", "Error: no plan"),
        ("no text", b"\xff\xfe\x00"),
    ):
        yield Case(title, cut, 2)


def secret_cases(one: Drawn) -> Iterator[Case]:
    """Refused and unreadable plans with the secret at other places."""
    rule = one.rule(["0.0.0.0/0"], 22)
    text = json.dumps(
        one.plan(one.change("bucket", ["no-op"], {"tags": {"a": one.secret}}, {"tags": {"a": one.secret}}))
    )
    secret = {"secret_string": one.secret, "password": one.secret}
    yield Case(
        "a door opens, and a description holds the password",
        one.plan(one.change("group", ["update"], one.group(), one.group(rule, description=one.secret))),
        1,
    )
    yield Case(
        "a secret is destroyed",
        one.plan(one.change("module.data.aws_secretsmanager_secret_version.x", ["delete"], secret, None)),
        1,
    )
    yield Case(
        "an action that nobody knows, on the database",
        one.plan(one.change("database", ["recreate"], one.database(), one.database())),
        2,
    )
    yield Case(
        "a plan that is cut off behind the password", text[: text.rindex(one.secret) + len(one.secret) + 3], 2
    )
