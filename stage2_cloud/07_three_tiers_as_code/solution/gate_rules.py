"""What no plan may do: lose data, open a door, take a protection away."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from gate_plan import DESTROYS, Change

DATA_MODULE = re.compile(r"(?:^|\.)module\.data(?:\[[^\]]*\])?\.")
DATA_TYPES = {"aws_db_instance", "aws_rds_cluster", "aws_dynamodb_table", "aws_kms_key", "aws_s3_bucket"}
LARGEST = {4: 8, 6: 16}  # a block with fewer fixed bits counts as the whole Internet
# What must be so after a change: type → path of the field → value.
MUST = {
    "aws_db_instance": {
        "storage_encrypted": True,
        "deletion_protection": True,
        "publicly_accessible": False,
        "skip_final_snapshot": False,
    },
    "aws_s3_bucket": {"force_destroy": False},
    "aws_s3_bucket_versioning": {"versioning_configuration.0.status": "Enabled"},
    "aws_s3_bucket_public_access_block": dict.fromkeys(
        ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
    ),
    "aws_kms_key": {"enable_key_rotation": True},
}
# Absent and null mean the provider's default.
DEFAULTS = {"publicly_accessible": False, "skip_final_snapshot": False, "force_destroy": False}


def is_data(change: Change) -> bool:
    """Whether it is of the data tier, or was before it was moved."""
    places = (change.address, change.previous_address)
    return change.type in DATA_TYPES or any(DATA_MODULE.search(place) for place in places)


def refusals(change: Change) -> Iterator[tuple[str, bool]]:
    """(why, whether an approval may let it through)."""
    if is_data(change) and change.actions & DESTROYS:
        how = (
            "replaced"
            if "create" in change.actions
            else "forgotten"
            if "forget" in change.actions
            else "destroyed"
        )
        yield f"a resource of the data tier would be {how}", True
    if change.actions & {"create", "update"}:
        yield from ((why, False) for why in (*_doors(change), *_protections(change)))


def _protections(change: Change) -> Iterator[str]:
    for path, wanted in MUST.get(change.type, {}).items():
        default = DEFAULTS.get(path)
        if _at(change.after_unknown, path) is True:
            yield f"{path} is known only after the apply"
            continue
        after, before = (_or(_at(side, path), default) for side in (change.after, change.before))
        if after != wanted and ("create" in change.actions or after != before):
            yield f"{path} would no longer protect the data"
    if change.type == "aws_db_instance":
        yield from _backups(change)
    if change.type == "aws_s3_bucket_server_side_encryption_configuration":
        yield from _encryption(change)


def _backups(change: Change) -> Iterator[str]:
    field = "backup_retention_period"
    if change.after_unknown.get(field) is True:
        yield f"{field} is known only after the apply"
        return
    before, after = (side.get(field) or 0 for side in (change.before, change.after))
    if after < before or (after < 1 and "create" in change.actions):
        yield f"{field}: backups would be kept for a shorter time"


def _encryption(change: Change) -> Iterator[str]:
    field = "rule.0.apply_server_side_encryption_by_default.0"
    before, after = (_at(side, f"{field}.sse_algorithm") for side in (change.before, change.after))
    if _at(change.after_unknown, f"{field}.sse_algorithm") is True:
        yield "the algorithm of the encryption is known only after the apply"
    elif after != before and not str(after).startswith("aws:kms"):
        yield "the bucket would no longer be encrypted with a key of its own"


def _doors(change: Change) -> Iterator[str]:
    """Ways in from the whole Internet that were not there before."""
    if change.type in ("aws_security_group", "aws_default_security_group"):
        if change.after_unknown.get("ingress") is True or _hidden_block(change.after_unknown.get("ingress")):
            yield "who may come in is known only after the apply"
        new = _open_rules(change.after, change) - _open_rules(change.before, change)
        if new:
            yield "ingress would be open to the whole Internet"
    elif _is_rule(change):
        unknown = {"cidr_ipv4", "cidr_ipv6", "cidr_blocks", "ipv6_cidr_blocks", "type"}
        if any(change.after_unknown.get(field) is True for field in unknown):
            yield "who may come in is known only after the apply"
        was_open = _open_rule(change.before, change) and _ports(change.after) == _ports(change.before)
        if _open_rule(change.after, change) and not was_open:
            yield "it would let the whole Internet in"


def _is_rule(change: Change) -> bool:
    return change.type == "aws_vpc_security_group_ingress_rule" or (
        change.type == "aws_security_group_rule" and change.after.get("type", "ingress") == "ingress"
    )


def _hidden_block(written: Any) -> bool:
    return isinstance(written, list) and any(
        isinstance(rule, dict)
        and any(
            rule.get(key) is True or (isinstance(rule.get(key), list) and True in rule[key])
            for key in ("cidr_blocks", "ipv6_cidr_blocks")
        )
        for rule in written
    )


def _open_rules(side: dict[str, Any], change: Change) -> set[tuple[Any, ...]]:
    rules = [rule for rule in side.get("ingress") or [] if isinstance(rule, dict)]
    return {_ports(rule) for rule in rules if _open_rule(rule, change)}


def _open_rule(rule: dict[str, Any], change: Change) -> bool:
    """Whether it lets the whole Internet in, by another door than HTTPS in front of the app."""
    blocks = [
        rule.get("cidr_ipv4"),
        rule.get("cidr_ipv6"),
        *(rule.get("cidr_blocks") or []),
        *(rule.get("ipv6_cidr_blocks") or []),
    ]
    if not any(_is_world(block) for block in blocks if block):
        return False
    return is_data(change) or _ports(rule) != ("tcp", 443, 443)


def _is_world(block: str) -> bool:
    try:
        network = ipaddress.ip_network(block, strict=False)
    except ValueError:
        return True
    return network.prefixlen < LARGEST[network.version]


def _ports(rule: dict[str, Any]) -> tuple[Any, ...]:
    protocol = str(rule.get("ip_protocol") or rule.get("protocol") or "").lower()
    return ("tcp" if protocol == "6" else protocol, rule.get("from_port"), rule.get("to_port"))


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if value is True:
            return True
        if isinstance(value, list):
            value = value[int(step)] if len(value) > int(step) else None
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
