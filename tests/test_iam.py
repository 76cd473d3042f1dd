"""The IAM evaluator, by a table of cases. Each case is a rule of the IAM User Guide, in its words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labs.services.iam import Caller, Malformed, Policy, Request, Unknown, decide, trusts

ACCOUNT = "123456789012"
USER = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/asha")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/trainer"
SESSION = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/trainer/night", role=ROLE)
NOBODY = Caller()
BUDGETS = Caller(service="budgets.amazonaws.com")
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
MODEL = "arn:aws:s3:::models/fraud/7"


def policy(*statements: dict[str, Any]) -> Policy:
    whole = [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | one for one in statements]
    return Policy.parse(json.dumps({"Version": "2012-10-17", "Statement": whole}))


def trust(principal: Any, action: str = "sts:AssumeRole", **more: Any) -> Policy:
    statement = {"Effect": "Allow", "Action": action, "Principal": principal, **more}
    return Policy.parse(json.dumps({"Version": "2012-10-17", "Statement": statement}))


def allowed(
    *identity: Policy, caller: Caller = USER, action: str = "s3:GetObject", on: str | None = MODEL,
    context: dict[str, list[str]] | None = None, **others: Policy,
) -> bool:  # fmt: skip
    return decide(Request(caller, action, on, context or {}), identity, **others).allowed


def meets(operator: str, key: str, wanted: Any, *got: str) -> bool:
    """Whether a request whose `key` has these values (none: it has no such key) meets this condition."""
    condition = {"Condition": {operator: {key: wanted}}}
    return allowed(policy(condition), context={key.lower(): list(got)} if got else {})


ELEMENTS = [
    ("nothing is allowed by itself", [], False),
    ("an Allow allows", [{}], True),
    ("an explicit Deny overrides", [{}, {"Effect": "Deny"}], False),
    ("in any order", [{"Effect": "Deny"}, {}], False),
    ("actions ignore case", [{"Action": "S3:getobject"}], True),
    ("a wildcard in an action", [{"Action": "s3:Get*"}], True),
    ("a question mark is one character", [{"Action": "s3:GetObjec?"}], True),
    ("a question mark is not none", [{"Action": "s3:GetObject?"}], False),
    ("GetObject is not GetObjectVersion", [{"Action": "s3:GetObjectVersion"}], False),
    ("one of several actions", [{"Action": ["s3:PutObject", "s3:GetObject"]}], True),
    ("NotAction of another", [{"Action": None, "NotAction": "s3:Put*"}], True),
    ("NotAction of this", [{"Action": None, "NotAction": "s3:Get*"}], False),
    ("a Deny of all but this", [{}, {"Effect": "Deny", "Action": None, "NotAction": "s3:Get*"}], True),
    ("the resource itself", [{"Resource": MODEL}], True),
    ("its prefix", [{"Resource": "arn:aws:s3:::models/fraud/*"}], True),
    ("a star reaches over slashes", [{"Resource": "arn:aws:s3:::models/*"}], True),
    ("another prefix", [{"Resource": "arn:aws:s3:::models/offers/*"}], False),
    ("the bucket is not its objects", [{"Resource": "arn:aws:s3:::models"}], False),
    ("resources mind case", [{"Resource": "arn:aws:s3:::Models/*"}], False),
    ("NotResource of another", [{"Resource": None, "NotResource": "arn:aws:s3:::models/offers/*"}], True),
    ("NotResource of this", [{"Resource": None, "NotResource": "arn:aws:s3:::models/fraud/*"}], False),
    ("a dot is a dot", [{"Resource": "arn:aws:s3:::models.fraud/7"}], False),
]


@pytest.mark.parametrize(("what", "statements", "wanted"), ELEMENTS, ids=[case[0] for case in ELEMENTS])
def test_elements(what: str, statements: list[dict[str, Any]], wanted: bool) -> None:
    cleaned = []
    for one in statements:
        whole = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | one
        cleaned.append({key: value for key, value in whole.items() if value is not None})
    text = json.dumps({"Version": "2012-10-17", "Statement": cleaned})
    assert allowed(Policy.parse(text)) is wanted


NAME, ARN, IP, DATE, NUMBER = (
    "aws:username",
    "aws:PrincipalArn",
    "aws:SourceIp",
    "aws:CurrentTime",
    "s3:max-keys",
)
CONDITIONS = [
    ("StringEquals", NAME, "asha", ["asha"], True),
    ("StringEquals", NAME, "Asha", ["asha"], False),
    ("StringEquals", NAME, ["ravi", "asha"], ["asha"], True),
    ("StringEquals", NAME, "asha", [], False),
    ("StringEquals", NAME, "as*", ["asha"], False),
    ("StringEqualsIfExists", NAME, "asha", [], True),
    ("StringEqualsIfExists", NAME, "asha", ["ravi"], False),
    ("StringNotEquals", NAME, "asha", ["ravi"], True),
    ("StringNotEquals", NAME, ["asha", "ravi"], ["ravi"], False),
    ("StringNotEquals", NAME, "asha", [], True),
    ("StringEqualsIgnoreCase", NAME, "ASHA", ["asha"], True),
    ("StringLike", NAME, "as?a", ["asha"], True),
    ("StringLike", NAME, "a*", ["asha"], True),
    ("StringLike", NAME, "b*", ["asha"], False),
    ("StringNotLike", NAME, "a*", ["asha"], False),
    ("StringNotLike", NAME, "a*", [], True),
    ("NumericEquals", NUMBER, "10", ["10.0"], True),
    ("NumericLessThanEquals", NUMBER, 10, ["10"], True),
    ("NumericLessThan", NUMBER, 10, ["10"], False),
    ("NumericGreaterThan", NUMBER, "9", ["10"], True),
    ("NumericLessThan", NUMBER, "10", ["many"], False),
    ("NumericNotEquals", NUMBER, "10", ["11"], True),
    ("DateGreaterThan", DATE, "2026-11-08T00:00:00Z", ["2026-11-08T00:00:01Z"], True),
    ("DateLessThan", DATE, "2026-11-08", ["2026-11-07T23:59:59Z"], True),
    ("DateLessThan", DATE, "2026-11-08T05:30:00+05:30", ["2026-11-08T00:00:00Z"], False),
    ("DateEquals", "aws:EpochTime", "2026-11-08T00:00:00Z", ["1794096000"], True),
    ("Bool", "aws:SecureTransport", "false", ["false"], True),
    ("Bool", "aws:SecureTransport", False, ["false"], True),
    ("Bool", "aws:SecureTransport", "true", ["false"], False),
    ("Bool", "aws:MultiFactorAuthPresent", "true", [], False),
    ("BoolIfExists", "aws:MultiFactorAuthPresent", "false", [], True),
    ("IpAddress", IP, "203.0.113.0/24", ["203.0.113.77"], True),
    ("IpAddress", IP, "203.0.113.0/24", ["203.0.114.1"], False),
    ("IpAddress", IP, ["10.0.0.0/8", "203.0.113.7"], ["203.0.113.7"], True),
    ("IpAddress", IP, "2001:db8::/32", ["2001:db8::7"], True),
    ("NotIpAddress", IP, "203.0.113.0/24", ["203.0.113.77"], False),
    ("NotIpAddress", IP, "203.0.113.0/24", ["198.51.100.1"], True),
    ("ArnLike", ARN, f"arn:aws:iam::{ACCOUNT}:role/*", [ROLE], True),
    ("ArnEquals", ARN, f"arn:aws:iam::{ACCOUNT}:role/train*", [ROLE], True),
    ("ArnLike", ARN, "arn:aws:iam::*:role/trainer", [ROLE], True),
    ("ArnLike", ARN, "arn:aws:*:trainer", [ROLE], False),
    ("ArnNotLike", ARN, f"arn:aws:iam::{ACCOUNT}:role/*", [ROLE], False),
    ("Null", "aws:TagKeys", "true", [], True),
    ("Null", "aws:TagKeys", "true", ["team"], False),
    ("Null", "aws:TagKeys", "false", ["team"], True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "env"], ["team"], True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "env"], ["team", "owner"], False),
    ("ForAllValues:StringEquals", "aws:TagKeys", "team", [], True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "team", ["owner", "team"], True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "team", ["owner"], False),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "team", [], False),
    ("ForAnyValue:StringNotEquals", "aws:TagKeys", "team", ["team", "owner"], True),
    ("StringEquals", "AWS:UserName", "asha", ["asha"], True),
    ("StringEquals", "aws:PrincipalTag/team", "fraud", ["fraud"], True),
    ("StringEquals", "token.actions.githubusercontent.com:sub", "repo:nukkad/fraud:ref:refs/heads/main",
     ["repo:nukkad/fraud:ref:refs/heads/main"], True),
    ("StringLike", "token.actions.githubusercontent.com:sub", "repo:nukkad/*",
     ["repo:nukkad-evil/fraud:ref:refs/heads/main"], False),
    ("BinaryEquals", NAME, "bW9kZWw=", ["bW9kZWw="], True),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "key", "wanted", "got", "holds"), CONDITIONS)
def test_conditions(operator: str, key: str, wanted: Any, got: list[str], holds: bool) -> None:
    assert meets(operator, key, wanted, *got) is holds


def test_all_keys_and_operators_of_a_condition_must_hold() -> None:
    condition = {
        "StringEquals": {NAME: "asha", "s3:prefix": "fraud/"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    whole = {NAME: ["asha"], "s3:prefix": ["fraud/"], "aws:securetransport": ["true"]}
    both = policy({"Condition": condition})
    assert allowed(both, context=whole)
    for key in whole:
        assert not allowed(both, context=whole | {key: ["other"]})


def test_a_deny_unless_tls_denies_only_what_came_without() -> None:
    deny = policy(
        {}, {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    )
    assert allowed(deny, context={"aws:securetransport": ["true"]})
    assert not allowed(deny, context={"aws:securetransport": ["false"]})


VARIABLES = [
    ("arn:aws:s3:::models/${aws:username}/*", "arn:aws:s3:::models/asha/1", True),
    ("arn:aws:s3:::models/${aws:username}/*", "arn:aws:s3:::models/ravi/1", False),
    ("arn:aws:s3:::models/${aws:PrincipalTag/team}/*", "arn:aws:s3:::models//1", False),
    ("arn:aws:s3:::models/${aws:PrincipalTag/team, 'all'}/*", "arn:aws:s3:::models/all/1", True),
    ("arn:aws:s3:::models/${*}", "arn:aws:s3:::models/*", True),
    ("arn:aws:s3:::models/${*}", "arn:aws:s3:::models/1", False),
    ("arn:aws:s3:::models/${?}", "arn:aws:s3:::models/a", False),
    ("arn:aws:s3:::models/${$}", "arn:aws:s3:::models/$", True),
]


@pytest.mark.parametrize(("pattern", "arn", "wanted"), VARIABLES)
def test_variables(pattern: str, arn: str, wanted: bool) -> None:
    assert allowed(policy({"Resource": pattern}), on=arn, context={"aws:username": ["asha"]}) is wanted


def test_variables_in_conditions() -> None:
    own = policy({"Condition": {"StringLike": {"s3:prefix": "${aws:username}/*"}}})
    assert allowed(own, context={"aws:username": ["asha"], "s3:prefix": ["asha/1"]})
    assert not allowed(own, context={"aws:username": ["asha"], "s3:prefix": ["ravi/1"]})


def bucket(principal: Any, **more: Any) -> Policy:
    return policy({"Principal": principal, **more})


WHO = [
    ("everybody", "*", NOBODY, True),
    ("everybody, in the other spelling", {"AWS": "*"}, USER, True),
    ("the user", {"AWS": USER.arn}, USER, True),
    ("another user", {"AWS": USER.arn.replace("asha", "ravi")}, USER, False),
    ("the account lets the account decide", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, USER, False),
    ("so does its number", {"AWS": ACCOUNT}, USER, False),
    ("the role of a session", {"AWS": ROLE}, SESSION, True),
    ("the session", {"AWS": SESSION.arn}, SESSION, True),
    ("nobody is no user", {"AWS": ACCOUNT}, NOBODY, False),
    ("a service is no user", {"Service": "lambda.amazonaws.com"}, USER, False),
    ("a service", {"Service": "budgets.amazonaws.com"}, BUDGETS, True),
    ("one of several", {"Service": ["lambda.amazonaws.com", "budgets.amazonaws.com"]}, BUDGETS, True),
    ("everybody is a service too", "*", BUDGETS, True),
    ("another service", {"Service": "cloudwatch.amazonaws.com"}, BUDGETS, False),
    ("the account is no service", {"AWS": ACCOUNT}, BUDGETS, False),
]


@pytest.mark.parametrize(("what", "principal", "caller", "wanted"), WHO, ids=[case[0] for case in WHO])
def test_the_policy_of_a_resource_allows_alone_whom_it_names(
    what: str, principal: Any, caller: Caller, wanted: bool
) -> None:
    assert allowed(caller=caller, resource=bucket(principal)) is wanted


def test_a_service_acts_for_the_account_that_the_policy_names() -> None:
    only_ours = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    theirs = bucket({"Service": BUDGETS.service}, Condition=only_ours)
    for account, wanted in ((ACCOUNT, True), ("999999999999", False)):
        assert allowed(caller=BUDGETS, resource=theirs, context={"aws:sourceaccount": [account]}) is wanted


def test_the_policy_of_a_resource_denies_whom_it_names_and_the_account() -> None:
    for principal in ("*", {"AWS": USER.arn}, {"AWS": ACCOUNT}):
        assert not allowed(policy({}), resource=bucket(principal, Effect="Deny"))
    assert allowed(policy({}), resource=bucket({"AWS": ROLE}, Effect="Deny"))
    assert not allowed(policy({}), caller=SESSION, resource=bucket({"AWS": ROLE}, Effect="Deny"))


def test_a_boundary_grants_nothing_and_limits_all() -> None:
    reads, writes = policy({}), policy({"Action": "s3:PutObject"})
    assert not allowed(boundary=reads)
    assert allowed(reads, boundary=reads)
    assert not allowed(reads, boundary=writes)
    assert not allowed(reads, boundary=policy({}, {"Effect": "Deny"}))


def test_a_boundary_limits_what_a_resource_gives_a_role_but_not_a_session_or_user() -> None:
    silent = policy({"Action": "s3:PutObject"})
    assert not allowed(caller=SESSION, resource=bucket({"AWS": ROLE}), boundary=silent)
    assert allowed(caller=SESSION, resource=bucket({"AWS": SESSION.arn}), boundary=silent)
    assert allowed(caller=USER, resource=bucket({"AWS": USER.arn}), boundary=silent)


def test_a_session_policy_limits_the_session() -> None:
    assert allowed(policy({}), caller=SESSION, session=policy({}))
    assert not allowed(policy({}), caller=SESSION, session=policy({"Action": "s3:PutObject"}))
    assert not allowed(caller=SESSION, session=policy({}))


def assume(
    caller: Caller, document: Policy, *identity: Policy, context: Any = None, action: str = "AssumeRole"
) -> bool:
    return trusts(document, Request(caller, f"sts:{action}", ROLE, context or {}), identity).allowed


def test_a_role_is_assumed_by_whom_it_trusts() -> None:
    may = policy({"Action": "sts:AssumeRole", "Resource": ROLE})
    assert not assume(USER, trust({"AWS": USER.arn.replace("asha", "ravi")}), may)
    assert assume(USER, trust({"AWS": USER.arn}))
    assert not assume(USER, trust({"AWS": ACCOUNT})), "the account lets the user's own policies decide"
    assert assume(USER, trust({"AWS": ACCOUNT}), may)
    assert not assume(
        USER, trust({"AWS": ACCOUNT}), policy({"Action": "sts:AssumeRole", "Resource": ROLE + "-2"})
    )
    assert not assume(USER, trust({"AWS": USER.arn}), policy({"Effect": "Deny", "Action": "sts:*"}))


def test_an_external_id_is_asked_for() -> None:
    document = trust({"AWS": USER.arn}, Condition={"StringEquals": {"sts:ExternalId": "nukkad-7"}})
    assert assume(USER, document, context={"sts:externalid": ["nukkad-7"]})
    assert not assume(USER, document, context={"sts:externalid": ["other"]})
    assert not assume(USER, document)


SUB, AUD = "token.actions.githubusercontent.com:sub", "token.actions.githubusercontent.com:aud"
MAIN = "repo:nukkad/fraud:ref:refs/heads/main"
TOKENS = [
    ("this branch", {"StringEquals": {SUB: MAIN, AUD: "sts.amazonaws.com"}}, MAIN, True),
    ("another branch", {"StringEquals": {SUB: MAIN}}, "repo:nukkad/fraud:ref:refs/heads/x", False),
    ("a pull request of a fork", {"StringEquals": {SUB: MAIN}}, "repo:evil/fraud:pull_request", False),
    ("only the audience asked for: anybody on GitHub", {"StringEquals": {AUD: "sts.amazonaws.com"}},
     "repo:evil/fraud:pull_request", True),
    ("a star in StringEquals is a star", {"StringEquals": {SUB: "repo:nukkad/*"}}, MAIN, False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "condition", "sub", "wanted"), TOKENS, ids=[case[0] for case in TOKENS])
def test_tokens_of_an_identity_provider(what: str, condition: Any, sub: str, wanted: bool) -> None:
    document = trust({"Federated": GITHUB}, "sts:AssumeRoleWithWebIdentity", Condition=condition)
    bearer = Caller(ACCOUNT, federated=GITHUB)
    said = {SUB: [sub], AUD: ["sts.amazonaws.com"]}
    assert assume(bearer, document, context=said, action="AssumeRoleWithWebIdentity") is wanted
    another = Caller(ACCOUNT, federated=GITHUB.replace("githubusercontent", "example"))
    assert not assume(another, document, context=said, action="AssumeRoleWithWebIdentity")


def statement(**elements: Any) -> str:
    whole = {"Effect": "Allow", "Action": "*", "Resource": "*"} | elements
    return json.dumps({"Statement": {key: value for key, value in whole.items() if value is not None}})


REFUSED = [
    (Malformed, "{"),
    (Malformed, "[]"),
    (Malformed, '{"Version": "2026-01-01", "Statement": []}'),
    (Malformed, statement(Effect="allow")),
    (Malformed, statement(Action=None)),
    (Malformed, statement(NotAction="*")),
    (Malformed, statement(Ressource="*")),
    (Malformed, statement(Action={"a": 1})),
    (Malformed, statement(Principal={"AWS": "arn:aws:iam::1:role/*"})),
    (Unknown, statement(NotPrincipal={"AWS": "1"})),
    (Unknown, statement(Condition={"StringSame": {"aws:username": "a"}})),
    (Unknown, statement(Condition={"Bool": {"aws:ViaAWSService": "true"}})),
    (Unknown, statement(Condition={"NullIfExists": {"aws:username": "a"}})),
]


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_what_is_no_policy_or_is_not_known_is_refused(kind: type[Exception], text: str) -> None:
    with pytest.raises(kind):
        Policy.parse(text)


def test_where_the_resource_is_not_known_only_a_star_is_judged() -> None:
    assert allowed(policy({"Action": "*"}), action="lambda:Invoke", on=None)
    with pytest.raises(Unknown):
        allowed(
            policy({"Action": "lambda:*", "Resource": "arn:aws:lambda:*"}), action="lambda:Invoke", on=None
        )
    assert not allowed(
        policy({"Action": "s3:*", "Resource": "arn:aws:s3:::m"}), action="lambda:Invoke", on=None
    )


def test_it_says_why() -> None:
    request = Request(USER, "s3:GetObject", MODEL)
    assert decide(request).because == "no policy allows it"
    assert "explicit Deny" in decide(request, [policy({}, {"Effect": "Deny"})]).because
    assert "boundary" in decide(request, [policy({})], boundary=Policy(())).because
