"""Who may do what: real calls, and whether the contract allows each.

No call changes anything that matters, even where it wrongly succeeds: so every one can be made, in any order, beside
others. What is allowed answers anything but "denied": a write that is allowed may still meet `PreconditionFailed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from account import Account, Keys, refusal
from labs.checks import Answer
from world import Plan

NO_ETAG = '"00000000000000000000000000000000"'
POINTER = json.dumps({"version": "planted", "previous": None}).encode()
OLD = "planted-before"  # a blob of each model that has an older version
NOTHING = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::no/no"}
HARMLESS = json.dumps({"Version": "2012-10-17", "Statement": [NOTHING]})
DENIED = {"AccessDenied", "AccessDeniedException", "403"}


@dataclass(frozen=True)
class Cell:
    """One call of a matrix. `says` names it for the learner."""

    says: str
    allowed: bool
    service: str
    operation: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def outcome(self, account: Account, keys: Keys) -> str:
        """ "allowed", "denied", or what else came."""
        return attempt(lambda: getattr(account.client(self.service, keys), self.operation)(**self.arguments))


def attempt(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        status, code = refusal(error)
        if code in DENIED:
            return "denied"
        return "allowed" if status in (404, 409, 412) else f"status {status} ({code})"
    return "allowed"


def judge(who: str, outcomes: Iterable[tuple[str, bool, str]], hint: str) -> None:
    """Fail at the first of (call, whether it is allowed, outcome) that is not as it should be.

    Calls that must work are looked at first: a role that may do nothing is no achievement.
    """
    outcomes = sorted(outcomes, key=lambda one: not one[1])
    wrong = [one for one in outcomes if one[2] != ("allowed" if one[1] else "denied")]
    if not wrong:
        return
    call, allowed, outcome = wrong[0]
    more = (
        f" (and {len(wrong) - 1} more of {len(outcomes)} calls are not as they should be)"
        if wrong[1:]
        else ""
    )
    Answer(f"{call}  as {who}").fail(
        wanted="allowed" if allowed else "denied",
        got=outcome + more,
        hint="Its work needs this: see the table in the contract." if allowed else hint,
    )


def outcomes(account: Account, keys: Keys, cells: Sequence[Cell]) -> Iterator[tuple[str, bool, str]]:
    for cell in cells:
        yield cell.says, cell.allowed, cell.outcome(account, keys)


class Matrix:
    """The cells of each kind of role. `old` holds a version id by key, of objects that the grader planted."""

    def __init__(self, plan: Plan, old: dict[str, str], policy: str) -> None:
        self.plan, self.old, self.policy = plan, old, policy

    def reads(self, models: Sequence[str]) -> Iterator[Cell]:
        """Objects and listings: what a reader of just these models may see."""
        bucket = self.plan.bucket
        for model in self.plan.models:
            mine = model in models
            for key in (f"{model}/latest.json", f"{model}/blobs/{OLD}", f"{model}/versions/none.json"):
                yield self.get(key, mine)
            for prefix in (f"{model}/", f"{model}/versions/"):
                yield self.listing(prefix, mine)
            yield self.listing(model, False)
            key = f"{model}/blobs/{OLD}"
            yield Cell(
                f"GetObject {key} of an older version", False, "s3", "get_object",
                {"Bucket": bucket, "Key": key, "VersionId": self.old[key]},
            )  # fmt: skip
        yield self.listing(None, False)
        yield self.listing("", False)
        yield self.get("notes.txt", False)
        yield self.get(f"{models[0]}x/latest.json", False)
        yield Cell(
            "ListObjectVersions", False, "s3", "list_object_versions",
            {"Bucket": bucket, "Prefix": f"{models[0]}/"},
        )  # fmt: skip
        other = {"Bucket": self.plan.other_bucket, "Key": f"{models[0]}/blobs/a"}
        yield Cell(f"GetObject in the bucket {self.plan.other_bucket}", False, "s3", "get_object", other)
        yield Cell("ListBuckets", False, "s3", "list_buckets")

    def creates(self, models: Sequence[str], tag: str) -> Iterator[Cell]:
        """Blobs and manifests: only new ones, and only of these models."""
        for model in self.plan.models:
            for key in (f"{model}/blobs/{tag}", f"{model}/versions/{tag}.json"):
                yield self._put(key, model in models, IfNoneMatch="*")
                yield self._put(key, False)
            yield self._put(f"{model}/{tag}", False, IfNoneMatch="*")
        yield self._put(f"{models[0]}x/blobs/{tag}", False, IfNoneMatch="*")
        yield self._put(f"blobs/{tag}", False, IfNoneMatch="*")

    def moves_pointers(self, models: Sequence[str], tag: str) -> Iterator[Cell]:
        for model in self.plan.models:
            key, mine = f"{model}/latest.json", model in models
            yield self._put(key, mine, IfMatch=NO_ETAG)
            yield self._put(key, mine, IfNoneMatch="*")
            yield self._put(key, False)
            for wrong in (f"{model}/{tag}/latest.json", f"{model}/latest.json.{tag}"):
                yield self._put(wrong, False, IfMatch=NO_ETAG)

    def destroys(self, tag: str) -> Iterator[Cell]:
        """What no role may do with an object."""
        bucket = self.plan.bucket
        for model in self.plan.models:
            key = f"{model}/blobs/{OLD}"
            where = {"Bucket": bucket, "Key": f"{model}/blobs/{tag}-never"}
            yield Cell(f"DeleteObject {where['Key']}", False, "s3", "delete_object", where)
            yield Cell(
                f"DeleteObject {key} of an older version", False, "s3", "delete_object",
                {"Bucket": bucket, "Key": key, "VersionId": self.old[key]},
            )  # fmt: skip
            tags = {"TagSet": [{"Key": "state", "Value": "old"}]}
            where = {"Bucket": bucket, "Key": key}
            yield Cell(
                f"PutObjectTagging {key}", False, "s3", "put_object_tagging", {**where, "Tagging": tags}
            )
            yield Cell(f"PutObjectAcl {key}", False, "s3", "put_object_acl", {**where, "ACL": "private"})

    def configures(self, role: str) -> Sequence[Cell]:
        """What no role may do with the bucket; each call says only what is so already. Then `governs`."""
        bucket = {"Bucket": self.plan.bucket}
        closed = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        enabled = {"VersioningConfiguration": {"Status": "Enabled"}}
        cells = [
            Cell(name, False, "s3", operation, {**bucket, **arguments})
            for name, operation, arguments in (
                ("PutBucketPolicy", "put_bucket_policy", {"Policy": self.policy}),
                ("PutBucketVersioning", "put_bucket_versioning", enabled),
                (
                    "PutPublicAccessBlock",
                    "put_public_access_block",
                    {"PublicAccessBlockConfiguration": closed},
                ),
                ("PutBucketAcl", "put_bucket_acl", {"ACL": "private"}),
                ("DeleteBucket", "delete_bucket", {}),
                ("GetBucketAcl", "get_bucket_acl", {}),
                ("GetBucketLogging", "get_bucket_logging", {}),
            )
        ]
        return [*cells, *self.governs(role)]

    def governs(self, role: str) -> Sequence[Cell]:
        """What no role may do with IAM."""
        policy = {"RoleName": role, "PolicyName": "harmless", "PolicyDocument": HARMLESS}
        neighbour = {"RoleName": "payments-settlement"}
        return [
            Cell(f"PutRolePolicy on {role}", False, "iam", "put_role_policy", policy),
            Cell("CreateAccessKey for somebody", False, "iam", "create_access_key", {"UserName": "nobody"}),
            Cell("GetRole payments-settlement", False, "iam", "get_role", neighbour),
            Cell("ListRoles", False, "iam", "list_roles"),
        ]

    def settings_of_the_bucket(self, allowed: bool) -> Iterator[Cell]:
        for name, operation in (
            ("GetBucketPolicy", "get_bucket_policy"),
            ("GetPublicAccessBlock", "get_public_access_block"),
            ("GetBucketVersioning", "get_bucket_versioning"),
            ("GetBucketEncryption", "get_bucket_encryption"),
            ("GetBucketLifecycleConfiguration", "get_bucket_lifecycle_configuration"),
        ):
            yield Cell(name, allowed, "s3", operation, {"Bucket": self.plan.bucket})

    def settings(self, allowed: bool) -> Iterator[Cell]:
        """The configuration of the bucket and of the roles."""
        role = f"artifacts-trainer-{self.plan.models[0]}"
        boundary = f"arn:aws:iam::123456789012:policy/artifacts-{self.plan.models[0]}-none"
        yield from self.settings_of_the_bucket(allowed)
        other = {"Bucket": self.plan.other_bucket}
        yield Cell(f"GetBucketPolicy of {self.plan.other_bucket}", False, "s3", "get_bucket_policy", other)
        yield Cell(
            f"GetBucketVersioning of {self.plan.other_bucket}", False, "s3", "get_bucket_versioning", other
        )
        for name, operation, arguments in (
            ("GetRole", "get_role", {}),
            ("ListRolePolicies", "list_role_policies", {}),
            ("ListAttachedRolePolicies", "list_attached_role_policies", {}),
            ("GetRolePolicy", "get_role_policy", {"PolicyName": "none"}),
        ):
            yield Cell(f"{name} {role}", allowed, "iam", operation, {"RoleName": role, **arguments})
        yield Cell(f"GetPolicy {boundary}", allowed, "iam", "get_policy", {"PolicyArn": boundary})
        versions = {"PolicyArn": boundary, "VersionId": "v1"}
        yield Cell(f"GetPolicyVersion {boundary}", allowed, "iam", "get_policy_version", versions)

    def get(self, key: str, allowed: bool) -> Cell:
        return Cell(f"GetObject {key}", allowed, "s3", "get_object", {"Bucket": self.plan.bucket, "Key": key})

    def listing(self, prefix: str | None, allowed: bool) -> Cell:
        arguments = {"Bucket": self.plan.bucket} | ({} if prefix is None else {"Prefix": prefix})
        says = (
            "ListObjectsV2 without a prefix"
            if prefix is None
            else f'ListObjectsV2 with the prefix "{prefix}"'
        )
        return Cell(says, allowed, "s3", "list_objects_v2", arguments)

    def _put(self, key: str, allowed: bool, **condition: str) -> Cell:
        how = {"IfMatch": "with If-Match", "IfNoneMatch": "with If-None-Match: *"}
        says = " ".join(["PutObject", key, *(how[name] for name in condition)])
        arguments = {"Bucket": self.plan.bucket, "Key": key, "Body": POINTER, **condition}
        return Cell(
            says + ("" if condition else " without a condition"), allowed, "s3", "put_object", arguments
        )
