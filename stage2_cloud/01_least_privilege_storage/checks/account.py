"""The grader's own clients of the AWS API: as the administrator, as users, as sessions of roles."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from labs.checks import Answer
from world import AUDIENCE, ISSUER, OTHER_AUDIENCE, REGION, Plan, role_arn

Keys = Mapping[str, str]
"""`aws_access_key_id`, `aws_secret_access_key` and, of a session, `aws_session_token`."""
FEW_TRIES = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}, read_timeout=60)
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
MAY_BECOME_ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}],
}
TOO_MUCH = json.dumps(EVERYTHING)


@dataclass
class Account:
    """One AWS API. Clients are made where they are used, never carried into a fork."""

    variables: Mapping[str, str]
    users: dict[str, Keys] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.session = boto3.Session()
        self._clients: dict[Any, Any] = {}

    @property
    def url(self) -> str:
        return self.variables["AWS_ENDPOINT_URL"]

    @property
    def admin(self) -> Keys:
        return {
            "aws_access_key_id": self.variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.variables["AWS_SECRET_ACCESS_KEY"],
        }

    def client(self, service: str, keys: Keys | None = None) -> Any:
        keys = self.admin if keys is None else keys
        key = (service, keys["aws_access_key_id"])
        if key not in self._clients:
            self._clients[key] = self.session.client(
                service, endpoint_url=self.url, region_name=REGION, config=FEW_TRIES, **keys
            )
        return self._clients[key]

    def in_a_fork(self) -> Account:
        """The same account, with connections of its own."""
        return Account(self.variables, dict(self.users))

    # What is there before the learner's code comes

    def furnish(self, plan: Plan) -> None:
        """GitHub's provider (it serves another team as well), the users of the plan, and two neighbours.

        Each user may assume any role, as far as its own policy goes: only the roles' trust says who becomes what.
        """
        iam, s3 = self.client("iam"), self.client("s3")
        iam.create_open_id_connect_provider(
            Url=f"https://{ISSUER}", ClientIDList=[OTHER_AUDIENCE, AUDIENCE], ThumbprintList=["a" * 40]
        )
        for name in (*plan.users, "developer"):
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            self.users[name] = keys_of(key)
            iam.put_user_policy(
                UserName=name, PolicyName="roles", PolicyDocument=json.dumps(MAY_BECOME_ANYBODY)
            )
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        iam.create_role(RoleName="payments-settlement", AssumeRolePolicyDocument=json.dumps(trust))
        s3.create_bucket(Bucket=plan.other_bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=plan.other_bucket, Key=f"{plan.models[0]}/blobs/a", Body=b"other")

    def bucket(self, name: str) -> None:
        """A versioned bucket without any policy."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    # Who one can be

    def assume(self, user: Keys, role: str, **more: str) -> Keys:
        """
        Raises:
            ClientError: the role does not trust this user.
        """
        ask = {"RoleArn": role_arn(role), "RoleSessionName": "grader", **more}
        return keys_of(self.client("sts", user).assume_role(**ask)["Credentials"])

    def bear(self, token: str, role: str = "artifacts-ci") -> Keys:
        """
        Raises:
            ClientError: the role does not trust this token.
        """
        ask = {"RoleArn": role_arn(role), "RoleSessionName": "grader", "WebIdentityToken": token}
        return keys_of(self.client("sts").assume_role_with_web_identity(**ask)["Credentials"])

    def token(self, sub: str, aud: str = AUDIENCE, issuer: str = f"https://{ISSUER}") -> str:
        claims = {"iss": issuer, "sub": sub, "aud": aud}
        ask = urllib.request.Request(f"{self.url}/labs/v1/tokens", json.dumps(claims).encode())
        with urllib.request.urlopen(ask, timeout=30) as answer:
            return str(json.load(answer)["token"])


def keys_of(answer: Mapping[str, str]) -> Keys:
    keys = {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
    }
    return keys | ({"aws_session_token": answer["SessionToken"]} if "SessionToken" in answer else {})


def as_variables(keys: Keys) -> dict[str, str]:
    return {name.upper(): value for name, value in keys.items()}


def refusal(error: ClientError) -> tuple[int, str]:
    """Status and code."""
    said = error.response
    return int(said["ResponseMetadata"]["HTTPStatusCode"]), str(said["Error"]["Code"])


@contextlib.contextmanager
def an_administrator(does: str) -> Iterator[None]:
    """What an administrator does in the learner's account must not be refused."""
    try:
        yield
    except ClientError as error:
        Answer(f"an administrator {does}").fail(
            wanted="an account in which an administrator can do this, over TLS",
            got=f"{error.operation_name}: {refusal(error)[1]}",
            hint="Of administrators only those are refused who come without TLS.",
        )


# What the learner's code left behind


def settings(account: Account, bucket: str) -> dict[str, Any]:
    """All that matters of the bucket and the roles `artifacts-…`, in an order that means nothing."""
    s3, iam = account.client("s3"), account.client("iam")
    found: dict[str, Any] = {
        "versioning": s3.get_bucket_versioning(Bucket=bucket).get("Status"),
        "encryption": _or_none(
            lambda: s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        ),
        "public access block": _or_none(
            lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        ),
        "lifecycle": _or_none(lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]),
        "bucket policy": _or_none(lambda: json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])),
    }
    for role in iam.list_roles()["Roles"]:
        if role["RoleName"].startswith("artifacts-"):
            found[f"role {role['RoleName']}"] = _role(iam, role["RoleName"])
    return {name: in_order(value) for name, value in found.items()}


def _role(iam: Any, name: str) -> dict[str, Any]:
    role = iam.get_role(RoleName=name)["Role"]
    boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    inline = {
        each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for each in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    attached = [
        each["PolicyArn"] for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    ]
    return {
        "id": role["RoleId"],
        "trust": role["AssumeRolePolicyDocument"],
        "inline": inline,
        "attached": {arn: document(iam, arn) for arn in attached},
        "boundary": {boundary: document(iam, boundary)} if boundary else None,
        "tags": role.get("Tags", []),
    }


def document(iam: Any, arn: str) -> Any:
    """What the default version of a managed policy says."""
    policy = _or_none(lambda: iam.get_policy(PolicyArn=arn)["Policy"])
    if policy is None:
        return None
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    return version["PolicyVersion"]["Document"]


def policy_versions(account: Account) -> dict[str, int]:
    """How many versions each managed policy of ours has."""
    iam = account.client("iam")
    found = iam.list_policies(Scope="Local")["Policies"]
    return {one["Arn"]: len(iam.list_policy_versions(PolicyArn=one["Arn"])["Versions"]) for one in found}


def in_order(value: Any) -> Any:
    """Lists of a policy or of rules are sets: sorted, so that two which mean the same are equal."""
    if isinstance(value, dict):
        return {key: in_order(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((in_order(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


def _or_none(read: Any) -> Any:
    try:
        return read()
    except ClientError as error:
        if refusal(error)[0] != 404:
            raise
        return None
