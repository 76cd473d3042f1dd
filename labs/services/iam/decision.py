"""How policies of several kinds add up to one answer.

Source: IAM User Guide, "Policy evaluation logic", for requests within one account:

1. An explicit Deny anywhere decides.
2. A resource-based policy that names the user or the session itself allows at once; one that names the role allows
   unless the permissions boundary or the session policy stays silent.
3. Otherwise an identity-based policy must allow (or the resource-based one, by naming the account does not: it only
   lets the account decide).
4. A permissions boundary must allow as well, and so must a session policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from labs.services.iam.conditions import Context
from labs.services.iam.documents import Policy, Statement


@dataclass(frozen=True)
class Caller:
    """Who asks. `arn` is a user's, or a session's: `arn:aws:sts::123456789012:assumed-role/trainer/night`.

    `role` is the ARN of the session's role. Nobody (an unsigned request) has no ARN. `federated` is the ARN of the
    identity provider whose token is shown. `service` is the name of a service of AWS's own that acts for an account:
    `budgets.amazonaws.com`.
    """

    account: str = ""
    arn: str = ""
    role: str = ""
    federated: str = ""
    service: str = ""


@dataclass(frozen=True)
class Request:
    """`resource` is the ARN; None where nobody can tell it."""

    caller: Caller
    action: str
    resource: str | None
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    because: str


def decide(
    request: Request,
    identity: Iterable[Policy] = (),
    resource: Policy | None = None,
    boundary: Policy | None = None,
    session: Policy | None = None,
) -> Verdict:
    """Whether AWS would do it.

    Raises:
        Unknown: a policy depends on something that is not known here.
    """
    identity = tuple(identity)
    own = [*identity, *(each for each in (boundary, session) if each)]
    for policy in own:
        if _any(policy, "Deny", request):
            return Verdict(False, f"an explicit Deny in {policy.name or 'a policy of the caller'}")
    if resource and _any(resource, "Deny", request, by_principal=True):
        return Verdict(False, f"an explicit Deny in {resource.name or 'the policy of the resource'}")

    directly = _named(resource, request) if resource else ""
    if directly in ("anybody", "user", "session", "provider", "service"):
        return Verdict(True, "the policy of the resource names the caller")
    if not (directly == "role" or any(_any(policy, "Allow", request) for policy in identity)):
        return Verdict(False, "no policy allows it")
    if boundary and not _any(boundary, "Allow", request):
        return Verdict(False, "the permissions boundary does not allow it")
    if session and not _any(session, "Allow", request):
        return Verdict(False, "the session policy does not allow it")
    return Verdict(True, "a policy of the caller allows it" if directly != "role" else "the role is named")


def trusts(
    trust: Policy, request: Request, identity: Iterable[Policy] = (), **others: Policy | None
) -> Verdict:
    """Whether a role may be assumed: its trust policy is a resource-based policy, and the one that *must* allow."""
    if not _any(trust, "Allow", request, by_principal=True):
        return Verdict(False, "the trust policy of the role does not allow it")
    return decide(request, identity, trust, **others)


def _any(policy: Policy, effect: str, request: Request, by_principal: bool = False) -> bool:
    return any(_applies(each, effect, request, by_principal) for each in policy.statements)


def _applies(statement: Statement, effect: str, request: Request, by_principal: bool) -> bool:
    return (
        statement.effect == effect
        and (not by_principal or bool(_matched(statement, request.caller)))
        and statement.is_about_action(request.action)
        and statement.conditions_hold(request.context)
        and statement.is_about_resource(request.resource, request.context)
    )


def _named(policy: Policy, request: Request) -> str:
    """As what the caller is named by the statements that allow this; "" or "account" is not enough alone."""
    ways = {
        _matched(each, request.caller)
        for each in policy.statements
        if each.principals is not None and _applies(each, "Allow", request, by_principal=True)
    }
    return next(
        (
            way
            for way in ("session", "user", "provider", "service", "anybody", "role", "account")
            if way in ways
        ),
        "",
    )


def _matched(statement: Statement, caller: Caller) -> str:
    """As what a statement means this caller; "" if it does not."""
    principals = statement.principals or {}
    names = principals.get("AWS", ())
    if "*" in principals or "*" in names:
        return "anybody"
    if caller.service:
        return "service" if caller.service in principals.get("Service", ()) else ""
    if caller.federated:
        return "provider" if caller.federated in principals.get("Federated", ()) else ""
    if caller.arn and caller.arn in names:
        return "session" if caller.role else "user"
    if caller.role and caller.role in names:
        return "role"
    of_account = caller.account in names or f"arn:aws:iam::{caller.account}:root" in names
    return "account" if caller.arn and of_account else ""
