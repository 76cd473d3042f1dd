"""Plans that a gate has to pass, and plans after which data is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plans import Case, Change, Drawn


def harmless(one: Drawn) -> Iterator[Case]:
    """Plans that have to pass: a gate that is always red is switched off."""
    server = {"ami": "ami-1", "instance_type": "c6i.large", "tags": {"Name": "cedar"}}
    tagged = one.database(tags={"environment": one.environment, "owner": "risk"})
    https = one.rule(["0.0.0.0/0"], 443)
    yes = {
        "security_group_id": "sg-1",
        "referenced_security_group_id": "sg-2",
        "ip_protocol": "tcp",
        "from_port": 5432,
        "to_port": 5432,
    }
    yield Case("nothing changes", one.plan(), 0)
    yield Case(
        "a tag of the database", one.plan(one.change("database", ["update"], one.database(), tagged)), 0
    )
    yield Case(
        "one more app server",
        one.plan(one.change("other server", ["create"], None, server, {"id": True, "private_ip": True})),
        0,
    )
    yield Case("one app server less", one.plan(one.change("other server", ["delete"], server, None)), 0)
    for order in (["delete", "create"], ["create", "delete"]):
        newer = {**server, "ami": "ami-2"}
        yield Case(
            f"an app server is replaced, {' and '.join(order)}",
            one.plan(one.change("server", order, server, newer, {"id": True})),
            0,
        )
    yield Case(
        "a tag of a group that is open on 443 already",
        one.plan(one.change("group", ["update"], one.group(https), one.group(https, tags={"a": "b"}))),
        0,
    )
    yield Case(
        "HTTPS for everybody, in front of the app",
        one.plan(one.change("group", ["create"], None, one.group(https), {"id": True})),
        0,
    )
    yield Case(
        "a rule between two groups",
        one.plan(one.change("rule", ["create"], None, yes, {"id": True, "security_group_rule_id": True})),
        0,
    )
    yield Case(
        "backups kept for longer",
        one.plan(
            one.change("database", ["update"], one.database(), one.database(backup_retention_period=35))
        ),
        0,
    )
    yield Case(
        "a database that has moved in the code and stays as it is",
        one.plan(
            one.change(
                "module.store.aws_db_instance.this",
                ["no-op"],
                one.database(),
                one.database(),
                previous_address=one.names["database"],
            )
        ),
        0,
    )
    weak = one.database(deletion_protection=False, backup_retention_period=0)
    owned = {**weak, "tags": {"owner": "risk"}}
    yield Case(
        "a tag of a database that was never protected",
        one.plan(one.change("database", ["update"], weak, owned)),
        0,
    )
    two_keys = [
        [{"apply_server_side_encryption_by_default": [{"sse_algorithm": name}]}]
        for name in ("aws:kms", "aws:kms:dsse")
    ]
    before, after = ({"rule": rule} for rule in two_keys)
    yield Case(
        "a bucket that is encrypted twice from now on",
        one.plan(one.change("encryption", ["update"], before, after)),
        0,
    )
    unsaid = one.plan()
    del unsaid["complete"]
    yield Case("a plan of a Terraform that does not say `complete`", unsaid, 0)
    yield Case("20 changes", one.plan(*many(one, 20)), 0)
    yield Case("60 changes", one.plan(*many(one, 60)), 0, words=("--max-changes", "60"))


def many(one: Drawn, number: int) -> list[Change]:
    """So many changes of app servers: they come, go and get another image."""
    server, newer = {"ami": "ami-1"}, {"ami": "ami-2"}
    kinds: list[tuple[list[str], Any, Any]] = [
        (["create"], None, server),
        (["delete"], server, None),
        (["update"], server, newer),
    ]
    return [
        one.change(f'module.app.aws_instance.this["n{at}"]', *kinds[at % len(kinds)]) for at in range(number)
    ]


def losses(one: Drawn) -> Iterator[Case]:
    """Plans after which data is gone."""
    base, database = one.database(), one.names["database"]
    bucket = {"bucket": "decisions", "force_destroy": False}

    def case(title: str, *changes: Change) -> Case:
        refused = frozenset(each["address"] for each in changes if each["change"]["actions"] != ["create"])
        return Case(title, one.plan(*changes), 1, refused)

    yield case(
        "the database is destroyed",
        one.change("database", ["delete"], base, None, action_reason="delete_because_no_resource_config"),
    )
    for order in (["delete", "create"], ["create", "delete"]):
        yield case(
            f"the database is replaced, {' and '.join(order)}",
            one.change(
                "database",
                order,
                base,
                one.database(identifier="other"),
                {"id": True},
                replace_paths=[["identifier"]],
            ),
        )
    yield case("the bucket is destroyed", one.change("bucket", ["delete"], bucket, None))
    yield case("the key is destroyed", one.change("key", ["delete"], {"enable_key_rotation": True}, None))
    yield case(
        "a module is renamed without a moved block",
        one.change("database", ["delete"], base, None),
        one.change("module.storage.aws_db_instance.this", ["create"], None, base, {"id": True}),
    )
    yield case(
        "the database moves and is replaced",
        one.change(
            "module.store.aws_db_instance.this",
            ["delete", "create"],
            base,
            base,
            {"id": True},
            previous_address=database,
        ),
    )
    secret = {"name": "feature-store"}
    yield case(
        "a secret leaves the data tier and is replaced on its way",
        one.change(
            "module.store.aws_secretsmanager_secret.feature_store",
            ["delete", "create"],
            secret,
            secret,
            {"id": True},
            previous_address="module.data.aws_secretsmanager_secret.feature_store",
        ),
    )
    yield case(
        "a cluster of databases is destroyed",
        one.change("module.reports.aws_rds_cluster.this", ["delete"], {"cluster_identifier": "r"}, None),
    )
    yield case(
        "a table is replaced",
        one.change("aws_dynamodb_table.sessions", ["delete", "create"], {"name": "a"}, {"name": "b"}),
    )
    yield case(
        "a key outside of the module is destroyed",
        one.change("module.app.aws_kms_key.logs", ["delete"], {"enable_key_rotation": True}, None),
    )
    yield case(
        "a database in a module of another one goes",
        one.change("module.tiers.module.data[0].aws_db_parameter_group.x", ["delete"], {"name": "a"}, None),
    )
    yield case("a removed block forgets the bucket", one.change("bucket", ["forget"], bucket, None))
    yield case(
        "the database is replaced, and the old one forgotten",
        one.change("database", ["create", "forget"], base, base),
    )
    yield case(
        "a count goes from two to one",
        one.change(
            "module.data.aws_db_instance.replica[1]",
            ["delete"],
            base,
            None,
            action_reason="delete_because_count_index",
        ),
    )
    yield case(
        "an environment's whole data module goes",
        one.change(
            f'module.data["{one.environment}"].aws_secretsmanager_secret_version.x',
            ["delete"],
            {"secret_string": one.secret},
            None,
        ),
    )
    yield case(
        "a bucket outside of the module is replaced",
        one.change("aws_s3_bucket.logs", ["delete", "create"], bucket, bucket),
    )
    yield case(
        "an old object of the database is destroyed",
        one.change("database", ["delete"], base, None, deposed="5f1c0de4"),
    )
