"""What S3 would delete by the lifecycle rules of a bucket, some days from now. The embedded API deletes nothing.

Source: S3 User Guide, "Lifecycle configuration elements", "Examples of S3 Lifecycle configurations", and "Expiring
objects". Each action is taken at the first midnight UTC after its days have passed; here ages are whole days, so an
object is gone on the day after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from account import an_administrator
from labs.checks import Answer
from world import Plan

READABLE = {"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}
OTHER_KEYS = ("a-model-of-next-year/blobs/a", "notes.txt")
Rules = Sequence[Mapping[str, Any]]  # as get_bucket_lifecycle_configuration gives them


@dataclass(frozen=True)
class Stored:
    """A version of an object, or a delete marker. Ages in days; `replaced` is None for the current version."""

    key: str
    age: int
    replaced: int | None = None
    marker: bool = False
    alone: bool = True  # of a delete marker: nothing is behind it
    tags: Mapping[str, str] = field(default_factory=dict)
    what: str = ""


def fate(rules: Rules, one: Stored) -> str:
    """ "kept", "deleted" for ever, "marked" as deleted, or "archived": not to be read without hours of waiting."""
    return max(
        (_by(rule, one) for rule in rules if rule.get("Status") == "Enabled" and _about(rule, one)),
        key=["kept", "archived", "marked", "deleted"].index,
        default="kept",
    )


def _by(rule: Mapping[str, Any], one: Stored) -> str:
    if one.replaced is not None:
        gone = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
        if gone is not None and one.replaced > gone:
            return "deleted"
        moves = rule.get("NoncurrentVersionTransitions", [])
        return "archived" if _archived(moves, "NoncurrentDays", one.replaced) else "kept"
    expiration = rule.get("Expiration", {})
    if one.marker:
        expires = expiration.get("ExpiredObjectDeleteMarker") or (
            "Days" in expiration and one.age > expiration["Days"]
        )
        return "deleted" if expires and one.alone else "kept"
    if "Date" in expiration or ("Days" in expiration and one.age > expiration["Days"]):
        return "marked"
    return "archived" if _archived(rule.get("Transitions", []), "Days", one.age) else "kept"


def _archived(moves: Sequence[Mapping[str, Any]], days: str, age: int) -> bool:
    return any(
        move.get("StorageClass") not in READABLE and ("Date" in move or age > move.get(days, 0))
        for move in moves
    )


def aborted(rules: Rules, key: str, age: int) -> bool:
    """Whether an unfinished upload that began `age` days ago is gone."""
    for rule in rules:
        days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        if (
            rule.get("Status") == "Enabled"
            and days is not None
            and age > days
            and _about(rule, Stored(key, age))
        ):
            return True
    return False


def _about(rule: Mapping[str, Any], one: Stored) -> bool:
    wanted = rule.get("Filter") or {}
    wanted = {**wanted, **wanted.get("And", {})}
    prefix = wanted.get("Prefix", rule.get("Prefix", "")) or ""
    tags = [*wanted.get("Tags", []), *([wanted["Tag"]] if "Tag" in wanted else [])]
    return one.key.startswith(prefix) and all(one.tags.get(tag["Key"]) == tag["Value"] for tag in tags)


def stored(plan: Plan, rng: np.random.Generator) -> Iterator[tuple[Stored, str]]:
    """Objects at ages drawn from the seed, and what must become of each."""
    for model in rng.permutation(plan.models):
        for key in (
            f"{model}/latest.json",
            f"{model}/versions/20260101-a.json",
            f"{model}/blobs/{rng.bytes(8).hex()}",
        ):
            for age in (int(rng.integers(1, 60)), int(rng.integers(61, 400)), 3650):
                yield Stored(key, age, what=f"a current object of {age} days"), "kept"
            replaced = int(rng.integers(1, 14))
            yield Stored(key, 500, replaced, what=f"replaced {replaced} days ago"), "kept"
            yield Stored(key, 15, 14, what="replaced 14 days ago"), "kept"
            for replaced in (61, int(rng.integers(62, 400))):
                yield Stored(key, replaced + 1, replaced, what=f"replaced {replaced} days ago"), "deleted"
            behind = Stored(
                key, 300, marker=True, alone=False, what="a delete marker with a version behind it"
            )
            yield behind, "kept"
            yield (
                Stored(key, 61, marker=True, what="a delete marker with nothing behind it for 61 days"),
                "deleted",
            )


def of_other_keys(rng: np.random.Generator) -> Iterator[tuple[Stored, str]]:
    """What belongs to no model of today: the rules are for all keys."""
    for key in OTHER_KEYS:
        yield Stored(key, 3650, what="a current object of 3650 days"), "kept"
        yield Stored(key, 15, 14, what="replaced 14 days ago"), "kept"
        replaced = int(rng.integers(61, 400))
        yield Stored(key, replaced + 1, replaced, what=f"replaced {replaced} days ago"), "deleted"
        yield (
            Stored(key, 61, marker=True, what="a delete marker with nothing behind it for 61 days"),
            "deleted",
        )


def judge(plan: Plan, rules: Rules, rng: np.random.Generator) -> None:
    for one, wanted in (*stored(plan, rng), *of_other_keys(rng)):
        got = fate(rules, one)
        Answer(f"lifecycle rules of {plan.bucket}, {one.what}: {one.key}").require(
            got == wanted,
            wanted=wanted,
            got=got,
            hint="What is old is not what is unused. See S3's noncurrent versions.",
        )
    uploads = [(f"{plan.models[0]}/blobs/a", age) for age in (15, 400)]
    uploads += [(key, 15) for key in OTHER_KEYS]
    for key, age in uploads:
        of_key = f", of {key}" if key in OTHER_KEYS else ""
        Answer(f"lifecycle rules of {plan.bucket}, an upload that began {age} days ago{of_key}").require(
            aborted(rules, key, age),
            wanted="aborted",
            got="kept, and paid for",
            hint="No listing shows the parts of an unfinished upload.",
        )


def pass_days(s3: Any, bucket: str, prefix: str, rules: Rules, days: int) -> None:
    """Do what S3 would have done by then to the objects below `prefix`, all of which are new."""
    with an_administrator("deletes what the lifecycle rules would delete"):
        _delete(s3, bucket, prefix, rules, days)


def _delete(s3: Any, bucket: str, prefix: str, rules: Rules, days: int) -> None:
    listed = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    for one in listed.get("Versions", []):
        where = {"Bucket": bucket, "Key": one["Key"]}
        becomes = fate(rules, Stored(one["Key"], days, None if one["IsLatest"] else days))
        if becomes == "deleted":
            s3.delete_object(**where, VersionId=one["VersionId"])
        elif becomes in ("marked", "archived"):  # either way nobody can read it
            s3.delete_object(**where)
