"""What people do to an account by hand: leave objects behind, help each other at 3 AM, open a bucket for a minute."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from account import EVERYTHING, TOO_MUCH, Account, Keys, an_administrator
from identities import become
from matrix import HARMLESS, OLD, POINTER
from world import ACCOUNT, AUDIENCE, ISSUER, PROVIDER, Plan, user_arn

HELP = "help-at-night"
MOST_VERSIONS = 5  # of a managed policy; source: IAM User Guide, "Versioning IAM policies"


def plant(account: Account, plan: Plan) -> tuple[dict[str, str], str]:
    """Objects for the matrix: the version ids of older versions by key, and the text of the bucket's policy."""
    s3, old = account.client("s3"), {}
    new: Any = {"Bucket": plan.bucket, "IfNoneMatch": "*"}
    with an_administrator("puts objects into the bucket and deletes one"):
        for model in plan.models:
            key = f"{model}/blobs/{OLD}"
            old[key] = s3.put_object(**new, Key=key, Body=b"older").get("VersionId", "null")
            s3.delete_object(Bucket=plan.bucket, Key=key)
            s3.put_object(**new, Key=key, Body=b"newer")
            s3.put_object(**new, Key=f"{model}/latest.json", Body=POINTER)
        s3.put_object(**new, Key="notes.txt", Body=b"of nobody")
    try:
        return old, s3.get_bucket_policy(Bucket=plan.bucket)["Policy"]
    except ClientError:
        return old, HARMLESS


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of settings that are not as they were."""
    return sorted(name for name in {**before, **after} if before.get(name) != after.get(name))


def help_all_trainers(account: Account, plan: Plan) -> dict[str, Keys]:
    """Attach a policy that allows everything to each trainer's role; keys of their sessions, by role."""
    iam, keys = account.client("iam"), {}
    for model in plan.models:
        role = f"artifacts-trainer-{model}"
        with an_administrator("adds a policy to a role"):
            iam.put_role_policy(RoleName=role, PolicyName=HELP, PolicyDocument=TOO_MUCH)
        keys[role] = become(account, f"{model}-training", role)
    return keys


def stop_helping(account: Account, plan: Plan) -> None:
    for model in plan.models:
        account.client("iam").delete_role_policy(RoleName=f"artifacts-trainer-{model}", PolicyName=HELP)


def open_everything(account: Account, plan: Plan) -> str:
    """What one bad night leaves behind; says so in words."""
    s3, iam, bucket = account.client("s3"), account.client("iam"), {"Bucket": plan.bucket}
    s3.delete_public_access_block(**bucket)
    open_to_all = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{plan.bucket}/*",
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [open_to_all]}
    s3.put_bucket_policy(**bucket, Policy=json.dumps(policy))
    s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_bucket_encryption(**bucket)
    expire = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": [expire]})
    first, second, third = plan.models
    _give_too_much(iam, f"artifacts-trainer-{first}", f"artifacts-server-{second}")
    _change_what_it_has(iam, "artifacts-ci")
    whole_account = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    _trust(
        iam,
        f"artifacts-server-{first}",
        {"Effect": "Allow", "Principal": whole_account, "Action": "sts:AssumeRole"},
    )
    # Whom these two trust stays; what is asked of them goes.
    auditor = {"AWS": user_arn("partner-audit")}
    _trust(iam, "artifacts-auditor", {"Effect": "Allow", "Principal": auditor, "Action": "sts:AssumeRole"})
    any_token = {
        "Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER}:aud": AUDIENCE}},
    }  # fmt: skip
    _trust(iam, "artifacts-ci", any_token)
    developer = {"AWS": user_arn("developer")}
    _trust(
        iam,
        f"artifacts-server-{third}",
        {"Effect": "Allow", "Principal": developer, "Action": "sts:AssumeRole"},
    )
    with contextlib.suppress(ClientError):  # it may have none
        iam.delete_role_permissions_boundary(RoleName=f"artifacts-trainer-{third}")
    # Another boundary, which bounds nothing; and of the first one so many versions that IAM takes no more.
    iam.put_role_permissions_boundary(
        RoleName=f"artifacts-trainer-{second}", PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/{HELP}"
    )
    boundary = iam.get_role(RoleName=f"artifacts-trainer-{first}")["Role"].get("PermissionsBoundary")
    if boundary:
        for _ in range(MOST_VERSIONS - 1):
            _new_version(iam, boundary["PermissionsBoundaryArn"])
    return "opened the bucket, and changed trust, policies and boundaries of roles"


def _give_too_much(iam: Any, by_inline: str, by_attached: str) -> None:
    iam.put_role_policy(RoleName=by_inline, PolicyName=HELP, PolicyDocument=TOO_MUCH)
    made = iam.create_policy(PolicyName=HELP, PolicyDocument=TOO_MUCH)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=by_attached, PolicyArn=made)


def _change_what_it_has(iam: Any, role: str) -> None:
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=TOO_MUCH)
    for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        _new_version(iam, one["PolicyArn"])


def _new_version(iam: Any, arn: str) -> None:
    with contextlib.suppress(ClientError):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(EVERYTHING), SetAsDefault=True)


def _trust(iam: Any, role: str, statement: Mapping[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": [statement]}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))
