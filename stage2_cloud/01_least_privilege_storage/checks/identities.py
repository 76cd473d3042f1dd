"""Who can become which role: everybody tries each of them, and tokens of every kind are shown."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from account import Account, Keys
from matrix import attempt, judge
from world import AUDIENCE, ISSUER, OTHER_AUDIENCE, PROVIDER, Plan

AUDIENCES = (AUDIENCE, OTHER_AUDIENCE)
STRANGERS = 3  # users of other jobs who try each role


def become(account: Account, user: str, role: str, **more: str) -> Keys:
    """Keys of a session; a role that its own user cannot become fails the check."""
    keys: dict[str, str] = {}
    outcome = attempt(lambda: keys.update(account.assume(account.users[user], role, **more)))
    judge(f"user {user}", [(f"AssumeRole {role}", True, outcome)], "")
    return keys


def become_ci(account: Account, plan: Plan) -> Keys:
    keys: dict[str, str] = {}
    outcome = attempt(lambda: keys.update(account.bear(account.token(plan.subject))))
    judge(f"a token of {plan.subject}", [("AssumeRoleWithWebIdentity artifacts-ci", True, outcome)], "")
    return keys


def trust(account: Account, plan: Plan, rng: np.random.Generator) -> Iterator[tuple[str, str, bool, str]]:
    """(who, call, whether it is allowed, outcome) of everybody's attempts to become each of the roles."""
    may = {f"artifacts-trainer-{model}": f"{model}-training" for model in plan.models}
    may |= {f"artifacts-server-{model}": f"{model}-serving" for model in plan.models}
    roles = [*may, "artifacts-ci", "artifacts-auditor"]
    right = {"ExternalId": plan.external_id}
    for role in roles:
        strangers = rng.choice(
            [user for user in plan.users if user != may.get(role)], STRANGERS, replace=False
        )
        for user in (*([may[role]] if role in may else []), *map(str, strangers), "developer"):
            yield f"user {user}", f"AssumeRole {role}", may.get(role) == user, _become(account, user, role)
    yield (
        "user partner-audit",
        "AssumeRole artifacts-auditor without ExternalId",
        False,
        _become(account, "partner-audit", "artifacts-auditor"),
    )
    for user in ("partner-audit", "developer", f"{plan.models[0]}-serving"):
        call = "AssumeRole artifacts-auditor with the right ExternalId"
        allowed = user == "partner-audit"
        yield f"user {user}", call, allowed, _become(account, user, "artifacts-auditor", **right)
    for wrong in ("audit-of-another-customer", plan.external_id.upper(), f"{plan.external_id}0"):
        call = f"AssumeRole artifacts-auditor with the ExternalId {wrong}"
        outcome = _become(account, "partner-audit", "artifacts-auditor", ExternalId=wrong)
        yield "user partner-audit", call, False, outcome
    for role in roles:
        outcome = attempt(lambda role=role: account.assume(account.admin, role))
        yield "an administrator", f"AssumeRole {role}", False, outcome
        if role != "artifacts-ci":
            token = account.token(plan.subject)
            outcome = attempt(lambda role=role, token=token: account.bear(token, role))
            yield "a token of the right branch", f"AssumeRoleWithWebIdentity {role}", False, outcome


def _become(account: Account, user: str, role: str, **more: str) -> str:
    return attempt(lambda: account.assume(account.users[user], role, **more))


def tokens(account: Account, plan: Plan) -> Iterator[tuple[str, bool, str]]:
    """Tokens that GitHub would sign, of this branch and of all that come near it."""
    owner, _, name = plan.repository.partition("/")
    other = "feature" if plan.branch == "main" else "main"
    yield _bear(account, plan.subject, AUDIENCE, True)
    yield _bear(account, plan.subject, OTHER_AUDIENCE, False)
    for sub in (
        f"repo:{plan.repository}:ref:refs/heads/{other}",
        f"repo:{plan.repository}:pull_request",
        f"repo:{plan.repository}:ref:refs/heads/{plan.branch}-2",
        f"repo:{plan.repository}:ref:refs/heads/fix/{plan.branch}",
        f"repo:{plan.repository}:ref:refs/tags/{plan.branch}",
        f"repo:{plan.repository}:environment:{plan.branch}",
        f"repo:{owner}/website:ref:refs/heads/{plan.branch}",
        f"repo:{plan.repository}-fork:ref:refs/heads/{plan.branch}",
        f"repo:{owner}-friends/{name}:ref:refs/heads/{plan.branch}",
        f"repo:somebody/{name}:ref:refs/heads/{plan.branch}",
        f"repo:somebody/{plan.repository.replace('/', '-')}:ref:refs/heads/{plan.branch}",
        f"repo:{plan.repository.upper()}:ref:refs/heads/{plan.branch}",
    ):
        yield _bear(account, sub, AUDIENCE, False)


def audiences(account: Account) -> list[str]:
    """For whom the identity provider takes tokens; none where it is gone."""
    iam = account.client("iam")
    try:
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)["ClientIDList"]
    except iam.exceptions.NoSuchEntityException:
        return []
    return sorted(str(one) for one in found)


def _bear(account: Account, sub: str, aud: str, allowed: bool) -> tuple[str, bool, str]:
    token = account.token(sub, aud, f"https://{ISSUER}")
    call = f"AssumeRoleWithWebIdentity artifacts-ci, token: sub {sub}, aud {aud}"
    return call, allowed, attempt(lambda: account.bear(token))
