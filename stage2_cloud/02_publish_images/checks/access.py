"""Who may do what: the calls are made, with the role's own keys, and ECR says yes or no."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from company import ACCOUNT, DONE, Company, client, said
from labs.checks import Finished

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    ],
}
NOBODY = "sha256:" + "0" * 64
ONE = [{"imageDigest": NOBODY}]
EMPTY = json.dumps({"Version": "2012-10-17", "Statement": []})
# Operations, and what each is called with besides the repository. None of them changes anything that a check needs.
READS = {"describe_images": {}, "batch_get_image": {"imageIds": ONE}}
PUSHES = {
    "initiate_layer_upload": {},
    "upload_layer_part": {
        "uploadId": "0" * 36,
        "partFirstByte": 0,
        "partLastByte": 0,
        "layerPartBlob": b"0",
    },
    "complete_layer_upload": {"uploadId": "0" * 36, "layerDigests": [NOBODY]},
    "put_image": {"imageManifest": "no JSON", "imageTag": "0"},
}
JUDGES = {"describe_image_scan_findings": {"imageId": ONE[0]}, "start_image_scan": {"imageId": ONE[0]}}
KEEPS = {"put_lifecycle_policy": {"lifecyclePolicyText": " " * 100}}  # no policy: it changes nothing
NEVER = {
    "batch_delete_image": {"imageIds": ONE},
    "delete_lifecycle_policy": {},
    "put_image_tag_mutability": {"imageTagMutability": "MUTABLE"},
    "put_image_scanning_configuration": {"imageScanningConfiguration": {"scanOnPush": False}},
    "set_repository_policy": {"policyText": EMPTY},
    "delete_repository": {},
}
PUBLISHER, DEPLOYER = PUSHES, {**JUDGES, **KEEPS}
EVERYTHING = {**READS, **PUSHES, **JUDGES, **KEEPS, **NEVER}
LOGIN = "get_authorization_token"


class Role:
    """A role with the policy that release.py printed, and a session of it."""

    def __init__(self, company: Company, name: str) -> None:
        self.done = done = company.run("policy", "--role", name).expect(status=DONE)
        document = json.dumps(said(done))
        whole = f"{name}-{company.service}"
        iam, sts = client("iam", company.variables), client("sts", company.variables)
        role = iam.create_role(RoleName=whole, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        try:
            iam.put_role_policy(RoleName=whole, PolicyName="release", PolicyDocument=document)
        except ClientError as refused:
            done.fail(
                wanted="a policy document that IAM takes",
                got=refused.response["Error"]["Code"],
                hint="Its parts are Version and Statement; a statement has Effect, Action and Resource.",
            )
        keys = sts.assume_role(RoleArn=role, RoleSessionName="release")["Credentials"]
        self.variables = {
            **company.variables,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
        company.registry.secrets[keys["AccessKeyId"]] = (keys["SecretAccessKey"], keys["SessionToken"])
        direct = {**self.variables, "AWS_ENDPOINT_URL": f"http://{company.registry.upstream}"}
        self._ecr = client("ecr", direct, keys["SessionToken"])
        self._s3 = client("s3", direct, keys["SessionToken"])

    def may(self, operation: str, **arguments: Any) -> bool:
        return _passes(getattr(self._ecr, operation), arguments)

    def may_leave_ecr(self) -> bool:
        return _passes(self._s3.list_buckets, {})


def _passes(call: Callable[..., Any], arguments: dict[str, Any]) -> bool:
    """Whether the guard lets it through; what moto then thinks of the arguments is another matter."""
    try:
        call(**arguments)
    except ClientError as refused:
        return refused.response["Error"]["Code"] not in (
            "AccessDeniedException",
            "AccessDenied",
            "NotImplemented",
        )
    return True


def expect_access(company: Company, role: Role, allowed: dict[str, Any]) -> None:
    """The role may do all of `allowed` with its own repository, log in, read perhaps, and nothing else anywhere."""
    done, service = role.done, company.service
    for operation in (*allowed, LOGIN):
        arguments = {} if operation == LOGIN else {"repositoryName": service, **EVERYTHING[operation]}
        done.require(
            role.may(operation, **arguments),
            wanted=f"{_action(operation)} with its own repository is allowed",
            got="it is denied",
            hint="Run the command with the role's own keys, and read which action is missing.",
        )
    for operation in (one for one in EVERYTHING if one not in {**allowed, **READS, **JUDGES}):
        _refuse(done, role, operation, service, "its own repository")
    for about, name, operations in _others(company):
        company.ecr.create_repository(repositoryName=name)
        for operation in operations:
            _refuse(done, role, operation, name, about)
    done.require(
        not role.may("create_repository", repositoryName=f"new-{service}") and not role.may_leave_ecr(),
        wanted="new repositories and other services of AWS are denied",
        got="they are allowed",
    )


def _refuse(done: Finished, role: Role, operation: str, repository: str, about: str) -> None:
    arguments = {"repositoryName": repository, **EVERYTHING[operation]}
    done.require(
        not role.may(operation, **arguments),
        wanted=f"{_action(operation)} with {about} is denied",
        got="it is allowed",
        hint="Name the actions one by one, and the one repository by its whole ARN.",
    )


def _action(operation: str) -> str:
    return "ecr:" + "".join(word.capitalize() for word in operation.split("_"))


def _others(company: Company) -> list[tuple[str, str, list[str]]]:
    """Repositories of other teams, and what is tried with them. One begins with the name of ours, one ends with it."""
    some = [str(one) for one in company.rng.choice(list(EVERYTHING), 2, replace=False)]
    return [
        ("a repository whose name begins with its own", f"{company.service}-shadow", list(EVERYTHING)),
        ("a repository whose name ends with its own", f"old-{company.service}", some),
        ("another repository", f"assist-{company.rng.bytes(3).hex()}", some),
    ]
