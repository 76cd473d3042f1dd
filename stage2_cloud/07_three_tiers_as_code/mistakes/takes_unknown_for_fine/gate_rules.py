"""What no plan may do: lose data, open a door, take a protection away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gate_doors import opened
from gate_plan import DESTROYS, Change

DATA_MODULE = re.compile(r"(?:^|\.)module\.data(?:\[[^\]]*\])?\.")
DATA_TYPES = {"aws_db_instance", "aws_rds_cluster", "aws_dynamodb_table", "aws_kms_key", "aws_s3_bucket"}
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
        yield from ((why, False) for why in (*opened(change, is_data(change)), *_protections(change)))


def _protections(change: Change) -> Iterator[str]:
    for path, wanted in MUST.get(change.type, {}).items():
        default = DEFAULTS.get(path)
        if _at(change.after_unknown, path) is True:
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
        return
    before, after = (side.get(field) or 0 for side in (change.before, change.after))
    if after < before or (after < 1 and "create" in change.actions):
        yield f"{field}: backups would be kept for a shorter time"


def _encryption(change: Change) -> Iterator[str]:
    field = "rule.0.apply_server_side_encryption_by_default.0"
    before, after = (_at(side, f"{field}.sse_algorithm") for side in (change.before, change.after))
    if _at(change.after_unknown, f"{field}.sse_algorithm") is True:
        yield "the algorithm of the encryption is known only after the apply"
    elif after != before and after not in ("aws:kms", "aws:kms:dsse"):
        yield "the bucket would no longer be encrypted with a key of its own"


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
