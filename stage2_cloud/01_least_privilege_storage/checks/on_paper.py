"""Calls that nobody makes: what IAM's rules answer to them, by the policies that a role has.

The matrix makes real calls, which take time, so it makes few. Here the same rules that the API enforces
(`labs.services.iam`) are asked about every action on every kind of resource, in this process.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3" and "… for AWS Identity
and Access Management"; IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matrix
from account import EVERYTHING
from labs.services.aws.s3_calls import OF_A_BUCKET, OF_AN_OBJECT
from labs.services.iam import Caller, Policy, Request, decide
from world import ACCOUNT, PROVIDER, REGION, Plan, role_arn, user_arn

HELP = Policy.parse(json.dumps(EVERYTHING), "what somebody attached")
ETAG = {"s3:if-match": [matrix.NO_ETAG]}
NEW = {"s3:if-none-match": ["*"]}
CONDITIONS = (("without a condition", {}), ("with If-None-Match: *", NEW), ("with If-Match", ETAG))
ELSEWHERE = "nukkad-payment-receipts"  # a bucket of another team
BUCKET_ACTIONS = sorted(
    {action for row in OF_A_BUCKET.values() for action in row if action} | {"CreateBucket", "DeleteBucket"}
)
OBJECT_ACTIONS = sorted(
    {action for row in OF_AN_OBJECT.values() for action in row if action} - {"PutObject"}
    | {
        "BypassGovernanceRetention", "DeleteObject", "DeleteObjectVersion", "GetObjectVersion",
        "GetObjectVersionAcl", "GetObjectVersionTagging", "PutObjectVersionAcl", "PutObjectVersionTagging",
        "DeleteObjectVersionTagging", "RestoreObject", "ReplicateObject", "ReplicateDelete",
    }
)  # fmt: skip
OF_SETTINGS = {
    "GetBucketPolicy", "GetBucketPublicAccessBlock", "GetBucketVersioning", "GetEncryptionConfiguration",
    "GetLifecycleConfiguration",
}  # fmt: skip
SEES_ROLE = ("GetRole", "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies")
CHANGES_ROLE = (
    "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "UpdateAssumeRolePolicy",
    "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary", "CreateRole", "DeleteRole", "PassRole",
)  # fmt: skip
SEES_POLICY = ("GetPolicy", "GetPolicyVersion")
CHANGES_POLICY = ("CreatePolicy", "CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion")
# Of other services, one call each that would hurt. Not of KMS: who encrypts with an own key may need it.
OTHERS = (
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:payments-a1b2c3"),
    ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/payments"),
    ("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:payments"),
    ("sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"),
    ("ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/scoring"),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:settle"),
    ("logs:DeleteLogGroup", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:payments"),
    ("ec2:RunInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"),
    ("sts:AssumeRole", role_arn("payments-settlement")),
)
Call = tuple[str, bool, str, str, Mapping[str, Sequence[str]]]
"""What the learner reads, whether it is allowed, the action, the ARN of the resource, what conditions can ask."""


@dataclass(frozen=True)
class Duties:
    """What the contract gives a role: models by what it may do with them, and whether it sees settings."""

    reads: tuple[str, ...] = ()
    creates: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    settings: bool = False

    def may(self, action: str, key: str, how: Mapping[str, Any]) -> bool:
        """Whether it may do this with the object `key` of the artifact bucket."""
        if action == "GetObject":
            return any(key.startswith(f"{model}/") for model in self.reads)
        places = [f"{model}/{folder}/" for model in self.creates for folder in ("blobs", "versions")]
        if action == "PutObject" and any(key.startswith(place) for place in places):
            return "s3:if-none-match" in how
        return action == "PutObject" and bool(how) and key in {f"{model}/latest.json" for model in self.moves}


@dataclass(frozen=True)
class OnPaper:
    """A caller with all policies that decide about it. `bucket_policy` is the artifact bucket's."""

    caller: Caller
    identity: tuple[Policy, ...]
    boundary: Policy | None
    bucket: str
    bucket_policy: Policy | None
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def outcome(self, action: str, arn: str, how: Mapping[str, Sequence[str]]) -> str:
        """ "allowed" or "denied"."""
        stem = f"arn:aws:s3:::{self.bucket}"
        ours = arn == stem or arn.startswith(f"{stem}/")
        request = Request(self.caller, action, arn, {**self.context, **how})
        verdict = decide(request, self.identity, self.bucket_policy if ours else None, self.boundary)
        return "allowed" if verdict.allowed else "denied"

    def outcomes(self, calls: Iterator[Call]) -> list[tuple[str, bool, str]]:
        return [
            (f"{says}, by IAM's rules", may, self.outcome(action, arn, how))
            for says, may, action, arn, how in calls
        ]


def role_of(settings: Mapping[str, Any], plan: Plan, role: str, *more: Policy) -> OnPaper:
    """A session of a role as `account.settings` describes it; `more` are policies that somebody gave it besides."""
    said = settings[f"role {role}"]
    own = [*said["inline"].values(), *(document for document in said["attached"].values() if document)]
    documents = list((said["boundary"] or {}).values())
    boundary = (_policy(documents[0]) or Policy(())) if documents else None  # a deleted one allows nothing
    context = {
        "aws:principalarn": [role_arn(role)],
        "aws:principaltype": ["AssumedRole"],
        "aws:userid": [f"{said['id']}:grader"],
    }
    context |= {f"aws:principaltag/{tag['Key'].lower()}": [tag["Value"]] for tag in said["tags"]}
    identity = (*(Policy.parse(json.dumps(document)) for document in own), *more)
    caller = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/grader", role=role_arn(role))
    return OnPaper(caller, identity, boundary, plan.bucket, _of_bucket(settings), _request() | context)


def administrator_over_http(settings: Mapping[str, Any], plan: Plan) -> OnPaper:
    arn = user_arn("course-admin")
    context = _request() | {"aws:securetransport": ["false"], "aws:principalarn": [arn]}
    del context["s3:tlsversion"]
    caller = Caller(ACCOUNT, arn)
    return OnPaper(caller, (HELP,), None, plan.bucket, _of_bucket(settings), context)


def all_calls(plan: Plan, role: str, duties: Duties) -> Iterator[Call]:
    """Every action of S3, on objects, on buckets; many of IAM; some of other services."""
    yield from _of_objects(plan, duties)
    yield from _of_buckets(plan, duties)
    yield from _of_iam(plan, role, duties)
    for action, arn in OTHERS:
        yield _call(action, arn, False)


def of_the_bucket(plan: Plan) -> Iterator[Call]:
    """Every action of S3 on the artifact bucket and on one of its objects: none of them may be allowed."""
    for action in ("PutObject", "GetObject", *OBJECT_ACTIONS):
        yield _call(f"s3:{action}", f"arn:aws:s3:::{plan.bucket}/{plan.models[0]}/latest.json", False)
    for action in BUCKET_ACTIONS:
        if action != "CreateBucket":  # of a bucket that is there
            yield _call(f"s3:{action}", f"arn:aws:s3:::{plan.bucket}", False)


def _of_objects(plan: Plan, duties: Duties) -> Iterator[Call]:
    keys = [
        f"{model}/{end}"
        for model in plan.models
        for end in ("latest.json", "blobs/a", "versions/a.json", "a")
    ]
    keys += [f"{plan.models[0]}x/blobs/a", "blobs/a", "notes.txt", "latest.json"]
    for bucket in (plan.bucket, plan.other_bucket, ELSEWHERE):
        ours = bucket == plan.bucket
        for key in keys:
            arn = f"arn:aws:s3:::{bucket}/{key}"
            yield _call("s3:GetObject", arn, ours and duties.may("GetObject", key, {}))
            for says, how in CONDITIONS:
                yield _call("s3:PutObject", arn, ours and duties.may("PutObject", key, how), f" {says}", how)
    for action in OBJECT_ACTIONS:
        for model in plan.models:
            for key in (f"{model}/blobs/a", f"{model}/latest.json"):
                yield _call(f"s3:{action}", f"arn:aws:s3:::{plan.bucket}/{key}", False)
        yield _call(f"s3:{action}", f"arn:aws:s3:::{ELSEWHERE}/{plan.models[0]}/blobs/a", False)


def _of_buckets(plan: Plan, duties: Duties) -> Iterator[Call]:
    yield _call("s3:ListAllMyBuckets", "*", False)
    for bucket in (plan.bucket, plan.other_bucket, ELSEWHERE):
        ours, arn = bucket == plan.bucket, f"arn:aws:s3:::{bucket}"
        for action in BUCKET_ACTIONS:
            may = ours and duties.settings and action in OF_SETTINGS
            yield _call(f"s3:{action}", arn, may)
        for model in plan.models:
            says, how = f' with the prefix "{model}/"', {"s3:prefix": [f"{model}/"]}
            yield _call("s3:ListBucket", arn, ours and model in duties.reads, says, how)
            yield _call("s3:ListBucketVersions", arn, False, says, how)


def _of_iam(plan: Plan, role: str, duties: Duties) -> Iterator[Call]:
    stem = f"arn:aws:iam::{ACCOUNT}:"
    for name in (role, f"artifacts-server-{plan.models[0]}", "payments-settlement"):
        for action in (*SEES_ROLE, *CHANGES_ROLE):
            may = duties.settings and action in SEES_ROLE and name.startswith("artifacts-")
            yield _call(f"iam:{action}", role_arn(name), may)
    for arn in (
        f"{stem}policy/artifacts-boundary",
        f"{stem}policy/payments",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
    ):
        for action in (*SEES_POLICY, *CHANGES_POLICY):
            may = duties.settings and action in SEES_POLICY and arn.startswith(f"{stem}policy/artifacts-")
            yield _call(f"iam:{action}", arn, may)
    for action in ("CreateUser", "CreateAccessKey", "PutUserPolicy", "AttachUserPolicy"):
        yield _call(f"iam:{action}", user_arn("developer"), False)
    for action in ("UpdateOpenIDConnectProviderThumbprint", "DeleteOpenIDConnectProvider"):
        yield _call(f"iam:{action}", PROVIDER, False)
    for action in ("ListRoles", "ListPolicies", "ListUsers", "GetAccountAuthorizationDetails"):
        yield _call(f"iam:{action}", "*", False)


def _call(
    action: str, arn: str, may: bool, says: str = "", how: Mapping[str, Sequence[str]] | None = None
) -> Call:
    return f"{action} on {arn}{says}", may, action, arn, how or {}


def _request() -> dict[str, Sequence[str]]:
    """What is known of each request to the API, but for the time."""
    return {
        "aws:principalaccount": [ACCOUNT],
        "aws:requestedregion": [REGION],
        "aws:resourceaccount": [ACCOUNT],
        "aws:securetransport": ["true"],
        "aws:sourceip": ["127.0.0.1"],
        "s3:tlsversion": ["1.3"],
    }


def _of_bucket(settings: Mapping[str, Any]) -> Policy | None:
    return _policy(settings["bucket policy"])


def _policy(document: Any) -> Policy | None:
    return Policy.parse(json.dumps(document)) if document else None
