"""What must hold in every environment; each function fails the check at the first environment where it does not."""

from __future__ import annotations

from typing import Any

from graph import NAMED, TAGGED, Graph, Resource
from hcl_values import OPEN
from submission import Described

TIERS = {
    "network": ("aws_vpc", "aws_subnet"),
    "app": ("aws_lb", "aws_instance"),
    "data": ("aws_db_instance", "aws_s3_bucket", "aws_kms_key"),
}
ONCE = ("aws_vpc", "aws_lb", "aws_db_instance")


def has_three_tiers(described: Described) -> None:
    for name, graph in described.all().items():
        seen = described.evidence(name)
        for tier, kinds in TIERS.items():
            for kind in kinds:
                places = {each.module[0] if each.module else "the root" for each in graph.of(kind)}
                seen.require(
                    places == {tier},
                    wanted=f"{kind} in the {'module' if described.tool == 'terraform' else 'component'} {tier}",
                    got=f"in {' and '.join(sorted(places))}" if places else "none at all",
                    hint="Which tier does it belong to? The contract lists what each of them holds.",
                )
        for kind in ONCE:
            count = len(list(graph.of(kind)))
            seen.require(count == 1, wanted=f"one {kind}", got=str(count))
        servers = len(list(graph.of("aws_instance")))
        if name == described.third.name:
            wanted = len(described.third.app_instances)
            seen.require(
                servers == wanted,
                wanted=f"{wanted} app servers",
                got=str(servers),
                hint="One for each name in app_instances.",
            )


def encrypts_data(described: Described) -> None:
    for name, graph in described.all().items():
        seen = described.evidence(name)

        def is_own_key(value: Any, graph: Graph = graph) -> bool:
            key = graph.target(value, "aws_kms_alias")
            if key is not None and key.type == "aws_kms_alias":
                key = graph.target(key.get("target_key_id"))
            return key is not None and key.type == "aws_kms_key"

        for database in graph.of("aws_db_instance"):
            seen.require(
                database.get("storage_encrypted") is True,
                wanted="an encrypted database",
                got=f"storage_encrypted is {database.get('storage_encrypted')}",
                hint="It cannot be switched on later: that replaces the database.",
            )
            seen.require(
                is_own_key(database.get("kms_key_id")),
                wanted="the database encrypted with the key of this environment",
                got="another key, or the account's default",
            )
        for key in graph.of("aws_kms_key"):
            seen.require(
                key.get("enable_key_rotation") is True,
                wanted="a key that is rotated",
                got=f"{key.address} is not",
            )
        for bucket in graph.of("aws_s3_bucket"):
            _bucket(seen, graph, bucket, is_own_key)


def _bucket(seen: Any, graph: Graph, bucket: Resource, is_own_key: Any) -> None:
    states = [
        each.block("versioning_configuration").get("status")
        for each in graph.about("aws_s3_bucket_versioning", "bucket", bucket)
    ]
    seen.require(
        states == ["Enabled"],
        wanted=f"versioning of {bucket.address}",
        got=str(states[0]) if states else "nobody switches it on",
    )
    rules = [
        each.block("rule").get("apply_server_side_encryption_by_default")
        for each in graph.about("aws_s3_bucket_server_side_encryption_configuration", "bucket", bucket)
    ]
    written = rules[0] if rules else None
    default = (written[0] if isinstance(written, list) and written else written) or {}
    fine = default.get("sse_algorithm") in ("aws:kms", "aws:kms:dsse") and is_own_key(
        default.get("kms_master_key_id")
    )
    seen.require(
        fine,
        wanted=f"{bucket.address} encrypted with the key of this environment",
        got=f"{default.get('sse_algorithm') or 'the account’s default'}, and another key" if not fine else "",
    )
    blocks = graph.about("aws_s3_bucket_public_access_block", "bucket", bucket)
    on = (
        sum(
            blocks[0].get(each) is True
            for each in (
                "block_public_acls",
                "block_public_policy",
                "ignore_public_acls",
                "restrict_public_buckets",
            )
        )
        if blocks
        else 0
    )
    seen.require(on == 4, wanted=f"all four public access blocks of {bucket.address}", got=f"{on} of four")


def survives(described: Described) -> None:
    word = "prevent_destroy" if described.tool == "terraform" else "protect"
    for name, graph in described.all().items():
        seen = described.evidence(name)
        for each in graph.of("aws_db_instance", "aws_s3_bucket", "aws_kms_key"):
            seen.require(
                each.protected,
                wanted=f"{word} on {each.address}",
                got="a plan may destroy it",
                hint="The tool itself can refuse to destroy or replace a resource.",
            )
        for database in graph.of("aws_db_instance"):
            seen.require(
                database.get("deletion_protection") is True,
                wanted="deletion_protection of the database",
                got=str(database.get("deletion_protection")),
                hint="Not everybody who deletes uses your tool.",
            )
            days = database.get("backup_retention_period", 0)
            seen.require(
                isinstance(days, (int, float)) and days >= 7,
                wanted="backups of the database for 7 days or more",
                got=f"{days:g} days" if isinstance(days, (int, float)) else "unknown",
            )
            kept = database.get("skip_final_snapshot") is not True and database.get(
                "final_snapshot_identifier"
            )
            seen.require(
                kept,
                wanted="a final snapshot, with a name",
                got="none",
                hint="skip_final_snapshot and final_snapshot_identifier",
            )
        for bucket in graph.of("aws_s3_bucket"):
            seen.require(
                bucket.get("force_destroy") is not True,
                wanted="a bucket that cannot be deleted while something is in it",
                got="force_destroy",
            )


def carries_its_name(described: Described) -> None:
    taken: dict[tuple[str, str], str] = {}
    for name, graph in described.all().items():
        seen = described.evidence(name)
        for each in graph.resources.values():
            if each.type in TAGGED:
                seen.require(
                    each.tags.get("environment") == name,
                    wanted=f"the tag environment = {name} on {each.address}",
                    got=str(each.tags.get("environment", "none")),
                    hint="The provider can give tags to everything that it makes.",
                )
            field = NAMED.get(each.type)
            called = each.get(field) if field else None
            last = each.get("final_snapshot_identifier") if each.type == "aws_db_instance" else None
            if isinstance(last, str) and OPEN not in last:
                seen.require(
                    name in last,
                    wanted=f"{name} in the name of the final snapshot of {each.address}",
                    got=last,
                    hint="A second snapshot of this name is refused: what happens then to the database of the other?",
                )
            if called is None and field and each.type in ("aws_db_instance", "aws_s3_bucket", "aws_lb"):
                seen.fail(wanted=f"a {field} for {each.address}", got="none: its name would be random")
            if isinstance(called, str) and OPEN not in called:
                seen.require(
                    name in called,
                    wanted=f"{name} in the name of {each.address}",
                    got=called,
                    hint="Two environments in one account: which of them gets the name?",
                )
                other = taken.setdefault((each.type, called), name)
                seen.require(
                    other == name, wanted="no name in two environments", got=f"{called} is also in {other}"
                )
