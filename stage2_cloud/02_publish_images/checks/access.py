"""Who may do what: the calls are made, with the role's own keys, and ECR says yes or no."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from company import ACCOUNT, DONE, REGION, Company, client, said
from labs.checks import Finished
from labs.services.iam import Caller, Policy, Request, decide

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
# What neither role may do anywhere: a sample of each way out of its work. All names are from the Service Authorization
# Reference. These are judged from the document, as the embedded API judges calls: it does not have all of them.
ELSEWHERE = (
    ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/nobody"),
    ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/deployer"),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/deployer"),
    ("iam:ListRoles", "*"),
    ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/deployer"),
    ("s3:GetObject", "arn:aws:s3:::nukkad-models/fraud/model.json"),
    ("s3:PutObject", "arn:aws:s3:::nukkad-models/fraud/model.json"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ledger-AbCdEf"),
    ("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/ledger"),
    ("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"),
    ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ledger"),
    ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/payments/fraud"),
    ("eks:DescribeCluster", f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/payments"),
    ("ec2:RunInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"),
    ("cloudtrail:StopLogging", f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all"),
    ("ecr-public:PutImage", f"arn:aws:ecr-public::{ACCOUNT}:repository/fraud"),
    ("ecr:PutRegistryPolicy", "*"),
    ("ecr:PutReplicationConfiguration", "*"),
    ("ecr:DeletePullThroughCacheRule", "*"),
)
# Of its own repository, and in no call of ours that the embedded API has.
NOT_ITS_OWN = ("ecr:DeleteRepositoryPolicy", "ecr:ReplicateImage", "ecr:TagResource")


class Role:
    """A role with the policy that release.py printed, and a session of it."""

    def __init__(self, company: Company, name: str) -> None:
        self.name = name
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
        self.policy = Policy.parse(document, "the policy")
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

    def would(self, action: str, resource: str) -> bool:
        """Whether the document allows it, in a session like ours (IAM User Guide, "Policy evaluation logic")."""
        caller = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/release")
        said = {
            "aws:requestedregion": [REGION],
            "aws:securetransport": ["true"],
            "aws:resourceaccount": [ACCOUNT],
        }
        return decide(Request(caller, action, resource, said), [self.policy]).allowed


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
        arguments = {"repositoryName": service, **EVERYTHING[operation]}
        _refuse(done, _action(operation), "its own repository", role.may(operation, **arguments))
    some = [str(one) for one in company.rng.choice(list(EVERYTHING), 2, replace=False)]
    for about, name in _others(company):
        company.ecr.create_repository(repositoryName=name)
        for operation in EVERYTHING:  # all from the document, some also by doing it
            allowed_there = role.would(_action(operation), _arn(name)) or (
                operation in some and role.may(operation, repositoryName=name, **EVERYTHING[operation])
            )
            _refuse(done, _action(operation), about, allowed_there)
    done.require(
        not role.may("create_repository", repositoryName=f"new-{service}") and not role.may_leave_ecr(),
        wanted="new repositories and other services of AWS are denied",
        got="they are allowed",
    )
    for action, resource in (*ELSEWHERE, *((action, _arn(service)) for action in NOT_ITS_OWN)):
        done.require(
            not role.would(action, resource),
            wanted=f"{action} is denied",
            got="it is allowed",
            hint="Which command of this role makes this call? Leave out what none of them needs.",
        )


def _refuse(done: Finished, action: str, about: str, allowed: bool) -> None:
    done.require(
        not allowed,
        wanted=f"{action} with {about} is denied",
        got="it is allowed",
        hint="Name the actions one by one, and the one repository by its whole ARN.",
    )


def _action(operation: str) -> str:
    return "ecr:" + "".join(word.capitalize() for word in operation.split("_"))


def _arn(repository: str) -> str:
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}"


def _others(company: Company) -> list[tuple[str, str]]:
    """Repositories of other teams. One begins with the name of ours, one ends with it."""
    return [
        ("a repository whose name begins with its own", f"{company.service}-shadow"),
        ("a repository whose name ends with its own", f"old-{company.service}"),
        ("another repository", f"assist-{company.rng.bytes(3).hex()}"),
    ]
