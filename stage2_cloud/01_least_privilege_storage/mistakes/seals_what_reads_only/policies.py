"""Every policy document of the platform, as a function of its configuration. Nothing here talks to AWS.

A role gets what its job needs, named in full. What no statement allows is denied, so there is no list of what is
forbidden, with one exception: the bucket denies plain HTTP to everybody, administrators included.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from platform_config import ContinuousIntegration, Platform

Document = dict[str, Any]
Statement = dict[str, Any]

BUCKET_SETTINGS = (
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
)
ROLE_SETTINGS = ("iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies")
POLICY_SETTINGS = ("iam:GetPolicy", "iam:GetPolicyVersion")


def document(statements: Iterable[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: str | Iterable[str], resources: str | Iterable[str], condition: Any = None) -> Statement:
    statement = {"Effect": "Allow", "Action": _list(actions), "Resource": _list(resources)}
    return statement | ({"Condition": condition} if condition else {})


def arn(bucket: str, key: str = "") -> str:
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


# What each role may do


def trainer(bucket: str, model: str) -> Document:
    """Publish one model. It is the trainer's boundary as well: nobody can give it more."""
    return document([*_reads(bucket, [model]), _creates(bucket, model), *_moves_pointers(bucket, [model])])


def server(bucket: str, model: str) -> Document:
    return document(_reads(bucket, [model]))


def ci(bucket: str, models: list[str]) -> Document:
    """Read every model, to test it, and move the pointers: promote and roll back."""
    return document([*_reads(bucket, models), *_moves_pointers(bucket, models)])


def auditor(bucket: str, account: str) -> Document:
    """See how everything is set, and none of the data, not even the names of objects."""
    return document(
        [
            allow(BUCKET_SETTINGS, arn(bucket)),
            allow(ROLE_SETTINGS, f"arn:aws:iam::{account}:role/artifacts-*"),
            allow(POLICY_SETTINGS, f"arn:aws:iam::{account}:policy/artifacts-*"),
        ]
    )


def _reads(bucket: str, models: list[str]) -> list[Statement]:
    """The slash after the name matters: `fraud*` is also `fraud-v2/`."""
    prefixes = {"StringLike": {"s3:prefix": [f"{model}/*" for model in models]}}
    return [
        allow("s3:GetObject", [arn(bucket, f"{model}/*") for model in models]),
        allow("s3:ListBucket", arn(bucket), prefixes),
    ]


def _creates(bucket: str, model: str) -> Statement:
    """Blobs and manifests are written once: without `If-None-Match: *` a write could replace what is there."""
    places = [arn(bucket, f"{model}/blobs/*"), arn(bucket, f"{model}/versions/*")]
    return allow("s3:PutObject", places, {"StringEquals": {"s3:if-none-match": "*"}})


def _moves_pointers(bucket: str, models: list[str]) -> list[Statement]:
    """Only for who says what is there now: an ETag, or nothing. Two keys in one statement would ask for both."""
    pointers = [arn(bucket, f"{model}/latest.json") for model in models]
    return [
        allow("s3:PutObject", pointers, {"Null": {condition: "false"}})
        for condition in ("s3:if-match", "s3:if-none-match")
    ]


# Who may become a role


def trusts_user(user: str, external_id: str = "") -> Document:
    """
    Args:
        user: the ARN of a user; the account as a whole would be everybody in it who may `sts:AssumeRole`.
        external_id: what a partner must say, who works for many customers with the same user.
    """
    statement = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return document([statement])


def trusts_branch(ci: ContinuousIntegration) -> Document:
    """Both claims: every repository on GitHub gets tokens from the same issuer, and for any audience it asks for."""
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Federated": ci.provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{ci.issuer}:aud": ci.audience, f"{ci.issuer}:sub": ci.subject}
                },
            }
        ]
    )


def bucket_policy(platform: Platform) -> Document:
    return document(
        [
            {
                "Sid": "OnlyOverTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:Get*", "s3:List*"],
                "Resource": [arn(platform.bucket), arn(platform.bucket, "*")],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
    )


def _list(texts: str | Iterable[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)
