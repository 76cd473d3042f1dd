"""What a request asks for, in IAM's words: an action, the ARNs of what it is about, and what conditions may ask.

Source: Service Authorization Reference, the page of each service. Where this page of ours does not know how a service
names what it works on, the resource is None, and only policies on `*` can be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from labs.services.aws import s3_calls
from labs.services.aws.request import HttpRequest

ANY: tuple[str | None, ...] = ("*",)
UNKNOWN: tuple[str | None, ...] = (None,)
# Operations that are called otherwise as actions.
RENAMED: dict[str, Callable[[str], str]] = {
    "budgets": lambda operation: "ViewBudget" if operation.startswith("Describe") else "ModifyBudget",
}


@dataclass(frozen=True)
class Call:
    """All of `needs` must be allowed: (action, ARN of the resource)."""

    needs: tuple[tuple[str, str | None], ...]
    context: dict[str, list[str]] = field(default_factory=dict)

    @property
    def action(self) -> str:
        return self.needs[0][0] if self.needs else ""


def call_of(request: HttpRequest, account: str, user: str) -> Call:
    """`user` is the name of the user who asks, for operations that mean oneself when nobody is named; "" for a role."""
    if request.service == "s3":
        return Call(tuple(s3_calls.calls(request)), s3_calls.context(request))
    operation = request.operation
    if not operation:
        return Call(())
    named = RENAMED.get(request.service, str)(operation)
    resources = RESOURCES.get(request.service)
    arns = resources(request, account, user) if resources else UNKNOWN
    action = f"{request.service}:{named}"
    return Call(tuple((action, arn) for arn in arns), _context(request))


def _context(request: HttpRequest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    tags = request.tags()
    found |= {f"aws:requesttag/{key.lower()}": [value] for key, value in tags.items()}
    if keys := [*tags, *request.texts("TagKeys")]:
        found["aws:tagkeys"] = keys
    for key, parameter in BY_PARAMETER.get(request.service, {}).items():
        if values := request.texts(parameter):
            found[key] = values
    return found


BY_PARAMETER = {
    "sts": {"sts:externalid": "ExternalId", "sts:rolesessionname": "RoleSessionName"},
    "iam": {"iam:policyarn": "PolicyArn", "iam:permissionsboundary": "PermissionsBoundary"},
    "cloudwatch": {"cloudwatch:namespace": "Namespace"},
    "secretsmanager": {"secretsmanager:secretid": "SecretId", "secretsmanager:versionstage": "VersionStage"},
}


def _each(names: Iterable[str], pattern: str) -> tuple[str | None, ...]:
    return tuple(name if name.startswith("arn:") else pattern.format(name) for name in names)


def _iam(request: HttpRequest, account: str, user: str) -> tuple[str | None, ...]:
    stem = f"arn:aws:iam::{account}:"
    path = next(iter(request.texts("Path")), "/").strip("/")
    path = f"{path}/" if path else ""
    operation = request.operation
    if operation.startswith("List") and not any(
        map(request.texts, ("UserName", "RoleName", "GroupName", "PolicyArn"))
    ):
        return ANY
    for parameter, kind in (("RoleName", "role"), ("UserName", "user"), ("GroupName", "group")):
        if names := request.texts(parameter):
            return _each((f"{path}{names[0]}",), stem + kind + "/{}")
    for parameter in ("OpenIDConnectProviderArn", "PolicyArn"):
        if names := request.texts(parameter):
            return tuple(names)
    if names := request.texts("PolicyName"):
        return _each((f"{path}{names[0]}",), stem + "policy/{}")
    if urls := request.texts("Url"):
        parts = urlsplit(urls[0])
        return (f"{stem}oidc-provider/{parts.netloc}{parts.path.rstrip('/')}",)
    own = operation in ("GetUser", "CreateAccessKey", "ChangePassword", "UpdateAccessKey", "DeleteAccessKey")
    return (f"{stem}user/{user}",) if own and user else ANY


def _named(service: str, parameters: tuple[str, ...], pattern: str) -> Callable[..., tuple[str | None, ...]]:
    """A service whose operations name their resource by one of these parameters; all others are about `*`."""

    def resources(request: HttpRequest, account: str, _: str) -> tuple[str | None, ...]:
        stem = f"arn:aws:{service}:{request.region}:{account}:"
        for parameter in parameters:
            if names := request.texts(parameter):
                return _each(names, stem + pattern)
        return ANY

    return resources


def _sqs(request: HttpRequest, account: str, _: str) -> tuple[str | None, ...]:
    stem = f"arn:aws:sqs:{request.region}:{account}:"
    if urls := request.texts("QueueUrl"):
        return (stem + urls[0].rstrip("/").rpartition("/")[2],)
    return _each(request.texts("QueueName"), stem + "{}") or ANY


def _sns(request: HttpRequest, account: str, _: str) -> tuple[str | None, ...]:
    stem = f"arn:aws:sns:{request.region}:{account}:"
    if arns := [arn for name in ("TopicArn", "TargetArn", "ResourceArn") for arn in request.texts(name)]:
        return (arns[0],)
    if arns := request.texts("SubscriptionArn"):
        return (arns[0].rpartition(":")[0],)
    return _each(request.texts("Name"), stem + "{}") or ANY


def _budgets(request: HttpRequest, account: str, _: str) -> tuple[str | None, ...]:
    names = request.texts("BudgetName")
    budget = request.parameters.get("Budget")
    if isinstance(budget, dict) and budget.get("BudgetName"):
        names = [str(budget["BudgetName"])]
    return _each(names or ["*"], f"arn:aws:budgets::{account}:budget/{{}}")


def _ecr(request: HttpRequest, account: str, _: str) -> tuple[str | None, ...]:
    stem = f"arn:aws:ecr:{request.region}:{account}:repository/"
    if request.operation in ("GetAuthorizationToken", "DescribeRegistry", "PutRegistryScanningConfiguration"):
        return ANY
    if arns := request.texts("resourceArn"):
        return tuple(arns)
    return _each(request.texts("repositoryName") or request.texts("repositoryNames") or ["*"], stem + "{}")


def _secretsmanager(request: HttpRequest, account: str, _: str) -> tuple[str | None, ...]:
    """A secret's ARN ends in six characters that AWS draws; a name is asked for as the ARN it could have."""
    from moto.secretsmanager.models import secretsmanager_backends

    stem = f"arn:aws:secretsmanager:{request.region}:{account}:secret:"
    names = request.texts("SecretId") or (
        request.texts("Name") if request.operation == "CreateSecret" else []
    )
    if not names:
        return ANY
    if names[0].startswith("arn:"):
        return tuple(names)
    secrets = secretsmanager_backends[account][request.region].secrets
    return (secrets[names[0]].arn if names[0] in secrets else f"{stem}{names[0]}-??????",)


def _logs(request: HttpRequest, account: str, _: str) -> tuple[str | None, ...]:
    stem = f"arn:aws:logs:{request.region}:{account}:log-group:"
    groups = request.texts("logGroupName") or request.texts("logGroupNamePrefix") or ["*"]
    streams = request.texts("logStreamName")
    return (f"{stem}{groups[0]}:log-stream:{streams[0]}" if streams else f"{stem}{groups[0]}",)


RESOURCES: dict[str, Callable[[HttpRequest, str, str], tuple[str | None, ...]]] = {
    "iam": _iam,
    "sts": lambda request, account, user: tuple(request.texts("RoleArn")) or ANY,
    "sqs": _sqs,
    "sns": _sns,
    "ecr": _ecr,
    "budgets": _budgets,
    "secretsmanager": _secretsmanager,
    "logs": _logs,
    "cloudwatch": _named("cloudwatch", ("AlarmName", "AlarmNames", "ResourceARN"), "alarm:{}"),
    "ce": lambda request, account, user: ANY,
    "dynamodb": _named("dynamodb", ("TableName",), "table/{}"),
    "kms": _named("kms", ("KeyId",), "key/{}"),
    "events": _named("events", ("Name", "Rule"), "rule/{}"),
}
