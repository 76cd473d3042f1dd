"""What the account knows of whoever signed: user or role, its policies, its boundary, its tags. All of it is moto's."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from labs.services.iam import Caller, Policy, Verdict, decide, trusts
from labs.services.iam.decision import Request

ACCOUNT = "123456789012"


class NoSuchKey(Exception):
    """No user and no session has this access key."""


@dataclass(frozen=True)
class Known:
    """A caller, and all that its requests are judged by."""

    caller: Caller
    secret: str = ""
    session_token: str = ""
    expires: datetime | None = None
    user: str = ""
    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: Policy | None = None
    context: dict[str, list[str]] = field(default_factory=dict)

    def decide(self, request: Request, resource: Policy | None) -> Verdict:
        return decide(request, self.identity, resource, self.boundary, self.session)

    def may_assume(self, request: Request, trust: Policy) -> Verdict:
        return trusts(trust, request, self.identity, boundary=self.boundary, session=self.session)


NOBODY = Known(Caller(), context={"aws:principaltype": ["Anonymous"]})


@functools.lru_cache(maxsize=4096)
def parsed(text: str, name: str = "") -> Policy:
    return Policy.parse(text, name)


def by_key(key: str, token: str) -> Known:
    """
    Raises:
        NoSuchKey: nobody has it, or it is switched off.
        Malformed, Unknown: one of the caller's policies cannot be judged.
    """
    found = _session(key, token) or _user(key)
    if found is None:
        raise NoSuchKey(key)
    return found


def backend() -> Any:
    from moto.iam.models import iam_backends

    return iam_backends[ACCOUNT]["aws"]


def _user(key: str) -> Known | None:
    iam = backend()
    for user in iam.users.values():
        for own in user.access_keys:
            if own.access_key_id == key and own.status == "Active":
                groups = iam.get_groups_for_user(user.name)
                return Known(
                    Caller(ACCOUNT, user.arn),
                    secret=own.secret_access_key,
                    user=user.name,
                    identity=tuple(policy for holder in (user, *groups) for policy in _policies(holder)),
                    context=_context(user.arn, "User", user.id, _as_dict(iam.list_user_tags(user.name)))
                    | {"aws:username": [user.name]},
                )
    return None


def _session(key: str, token: str) -> Known | None:
    from moto.sts.models import sts_backends

    for one in sts_backends[ACCOUNT]["aws"].assumed_roles:
        if one.access_key_id == key:
            role = role_by_arn(one.role_arn)
            if role is None or one.session_token != token:
                return None
            tags = _as_dict(role.tags)
            context = _context(role.arn, "AssumedRole", one.user_id, tags)
            context["aws:multifactorauthpresent"] = ["false"]
            return Known(
                Caller(ACCOUNT, one.arn, role=role.arn),
                secret=one.secret_access_key,
                session_token=one.session_token,
                expires=one.expiration,
                identity=tuple(_policies(role)),
                boundary=_boundary(role.permissions_boundary_arn),
                session=parsed(one.policy, "the session policy") if one.policy else None,
                context=context,
            )
    return None


def role_by_arn(arn: str) -> Any:
    return next((role for role in backend().roles.values() if role.arn == arn), None)


def trust_of(role: Any) -> Policy:
    return parsed(role.assume_role_policy_document, f"the trust policy of {role.name}")


def resource_policy(arn: str | None) -> Policy | None:
    """The policy of a bucket, topic, queue, repository or secret; None where there is none."""
    if arn is None or not arn.startswith("arn:"):
        return None
    _, _, service, region, _, name = arn.split(":", 5)
    text = POLICY_OF[service](region, name) if service in POLICY_OF else None
    return parsed(text, f"the policy of {arn}") if text else None


def _bucket(_: str, name: str) -> str | None:
    from moto.s3.models import s3_backends

    bucket = s3_backends[ACCOUNT]["aws"].buckets.get(name.partition("/")[0])
    return bucket.policy.decode() if bucket and bucket.policy else None


def _topic(region: str, name: str) -> str | None:
    from moto.sns.models import sns_backends

    topic = sns_backends[ACCOUNT][region].topics.get(f"arn:aws:sns:{region}:{ACCOUNT}:{name}")
    return topic.policy if topic else None


def _queue(region: str, name: str) -> str | None:
    from moto.sqs.models import sqs_backends

    queue = sqs_backends[ACCOUNT][region].queues.get(name)
    return json.dumps(queue._policy_json) if queue and queue._policy_json.get("Statement") else None


def _repository(region: str, name: str) -> str | None:
    from moto.ecr.models import ecr_backends

    repository = ecr_backends[ACCOUNT][region].repositories.get(name.removeprefix("repository/"))
    return repository.policy if repository else None


def _secret(region: str, name: str) -> str | None:
    from moto.secretsmanager.models import secretsmanager_backends

    secrets = secretsmanager_backends[ACCOUNT][region].secrets
    arn = f"arn:aws:secretsmanager:{region}:{ACCOUNT}:{name}"
    return getattr(secrets[arn], "policy", None) if arn in secrets else None


POLICY_OF = {"s3": _bucket, "sns": _topic, "sqs": _queue, "ecr": _repository, "secretsmanager": _secret}


def _policies(holder: Any) -> list[Policy]:
    own = [parsed(text, name) for name, text in holder.policies.items()]
    return own + [_default_version(each) for each in holder.managed_policies.values()]


def _boundary(arn: str | None) -> Policy | None:
    """A boundary that was deleted allows nothing."""
    if not arn:
        return None
    policy = backend().managed_policies.get(arn)
    return _default_version(policy) if policy else Policy((), arn)


def _default_version(policy: Any) -> Policy:
    version = next(each for each in policy.versions if each.is_default)
    return parsed(version.document, policy.name)


def resource_tags(arn: str) -> dict[str, str] | None:
    """Tags of what this ARN names; None for a service whose tags nobody reads here."""
    _, _, service, region, _, name = arn.split(":", 5)
    return TAGS_OF[service](region, name) if service in TAGS_OF else None


def _role_or_user_tags(_: str, name: str) -> dict[str, str]:
    kind, _, path = name.partition("/")
    iam, name = backend(), path.rpartition("/")[2]
    if kind == "role":
        return _as_dict(next((role.tags for role in iam.roles.values() if role.name == name), []))
    return _as_dict(iam.list_user_tags(name)) if kind == "user" and name in iam.users else {}


def _object_tags(_: str, name: str) -> dict[str, str]:
    from moto.s3.models import s3_backends

    bucket, _, key = name.partition("/")
    s3 = s3_backends[ACCOUNT]["aws"]
    found = s3.buckets[bucket].keys.get(key) if bucket in s3.buckets else None
    return _as_dict(s3.tagger.list_tags_for_resource(found.arn)["Tags"]) if found else {}


def _repository_tags(region: str, name: str) -> dict[str, str]:
    from moto.ecr.models import ecr_backends

    ecr = ecr_backends[ACCOUNT][region]
    found = ecr.repositories.get(name.removeprefix("repository/"))
    return _as_dict(ecr.tagger.list_tags_for_resource(found.arn)["Tags"]) if found else {}


TAGS_OF = {"iam": _role_or_user_tags, "sts": _role_or_user_tags, "s3": _object_tags, "ecr": _repository_tags}


def _as_dict(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _context(arn: str, kind: str, ident: str, tags: dict[str, str]) -> dict[str, list[str]]:
    context = {
        "aws:principalarn": [arn],
        "aws:principalaccount": [ACCOUNT],
        "aws:principaltype": [kind],
        "aws:userid": [ident],
    }
    return context | {f"aws:principaltag/{key.lower()}": [value] for key, value in tags.items()}
