"""The WSGI application in front of moto's: nothing reaches moto that AWS would refuse.

In this order, as AWS does: who is it (signature, token), may they (policies), and is it something that moto does as AWS
would. What cannot be judged is refused with 501, never guessed.

Two facts about a request have no place on a loopback address, so a header says them: `X-Labs-Source-Ip` (where the
request comes from) and `X-Labs-Transport: http` (it came without TLS). Without them a request comes from the client's
own address, over TLS.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from xml.sax.saxutils import unescape

from labs.services.aws import budgets, callers, signatures, tokens
from labs.services.aws.answers import Refusal, Start, answer, denied, not_here
from labs.services.aws.callers import ACCOUNT, NOBODY, Known, NoSuchKey
from labs.services.aws.calls import Call, call_of
from labs.services.aws.request import HttpRequest
from labs.services.aws.signatures import BadSignature
from labs.services.aws.tokens import BadToken, Provider
from labs.services.iam import Caller, Malformed, Policy, Request, Unknown

READY, TOKENS = "/labs/v1/ready", "/labs/v1/tokens"
POLICIES = ("PolicyDocument", "AssumeRolePolicyDocument", "Policy", "policyText", "ResourcePolicy")
ALWAYS = ("sts:GetCallerIdentity",)  # nobody can be denied this one
NOT_HERE = {
    "cloudformation": "CloudFormation (its templates would be built too loosely)",
    "iam:AddClientIDToOpenIDConnectProvider": "changes of a provider's audiences (make the provider with all of them)",
    "iam:RemoveClientIDFromOpenIDConnectProvider": "changes of a provider's audiences",
    "sts:GetSessionToken": "sessions of users",
    "sts:GetFederationToken": "federated users",
    "sts:AssumeRoleWithSAML": "SAML",
}


class Application(Protocol):
    def __call__(self, environ: dict[str, Any], start: Start, /) -> Iterable[bytes]: ...


class Guard:
    def __init__(self, application: Application, control: str = "") -> None:
        """`control` is the password of moto's own pages (`/moto-api/`), in the header `X-Labs-Control`."""
        self.application, self.control = application, control

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        request = HttpRequest.read(environ)
        try:
            if request.path == READY:
                return _json(start, {"ready": True})
            if request.path == TOKENS and request.method == "POST":
                return _json(start, {"token": tokens.sign(_claims(request))})
            if request.path.startswith("/moto-api"):
                self._owner(request)
            else:
                judge(request)
        except Refusal as refusal:
            return answer(request, refusal, start)
        return self.application(environ, start)

    def _owner(self, request: HttpRequest) -> None:
        said = request.headers.get("x-labs-control", "")
        if not (self.control and secrets.compare_digest(said, self.control)):
            raise Refusal(403, "AccessDenied", "This page is for the course's own checks.")


def judge(request: HttpRequest) -> None:
    """
    Raises:
        Refusal: the request must not reach moto.
    """
    try:
        known = _who(request)
        call = call_of(request, ACCOUNT, known.user)
        _refuse_what_is_not_here(request, call)
        context = {**_context(request), **known.context, **call.context}
        if request.operation.startswith("AssumeRole"):
            _assume(request, known, call, context)
        elif call.action not in ALWAYS:
            _allow(request, known, call, context)
        _check_policies(request)
        if request.service == "budgets":
            budgets.refuse_too_many(request, ACCOUNT)
    except Unknown as unknown:
        raise not_here(str(unknown)) from unknown
    except Malformed as malformed:
        raise Refusal(400, "MalformedPolicyDocument", str(malformed)) from malformed


def _who(request: HttpRequest) -> Known:
    if not signatures.is_signed(request):
        if "Signature" in request.query or "authorization" in request.headers:
            raise Refusal(400, "InvalidRequest", "Sign with Signature Version 4 (signature_version='s3v4').")
        return NOBODY
    s3 = request.service == "s3"
    try:
        known = callers.by_key(signatures.key_id(request), signatures.token(request))
    except NoSuchKey as error:
        code = "InvalidAccessKeyId" if s3 else "InvalidClientTokenId"
        raise Refusal(403, code, "The security token included in the request is invalid.") from error
    if known.expires and known.expires.replace(tzinfo=UTC) < datetime.now(UTC):
        raise Refusal(400, "ExpiredToken", "The security token included in the request is expired")
    try:
        signatures.check(request, known.secret)
    except BadSignature as error:
        code = "AccessDenied" if "expired" in str(error) else "SignatureDoesNotMatch"
        raise Refusal(403, code, str(error)) from error
    return known


def _allow(request: HttpRequest, known: Known, call: Call, context: dict[str, list[str]]) -> None:
    if not call.needs:
        raise Unknown(f"this request to {request.service or 'an unknown service'}")
    for action, arn in call.needs:
        asked = Request(known.caller, action, arn, WithTags(context, arn))
        verdict = known.decide(asked, callers.resource_policy(arn))
        if not verdict.allowed:
            raise denied(request, known.caller.arn, action, arn, verdict.because)


def _assume(request: HttpRequest, known: Known, call: Call, context: dict[str, list[str]]) -> None:
    if request.texts("PolicyArns") or any(
        name.startswith(("PolicyArns.", "Tags.")) for name in request.parameters
    ):
        raise Unknown("session tags and managed session policies")
    action, arn = call.needs[0]
    if action == "sts:AssumeRoleWithWebIdentity":
        known, said = _bearer(next(iter(request.texts("WebIdentityToken")), ""))
        context = {**context, **said}
    elif known.caller == NOBODY.caller:
        raise Refusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    role = callers.role_by_arn(arn or "")
    if role is None:  # AWS does not say that there is no such role
        raise denied(
            request, known.caller.arn or known.caller.federated, action, arn, "no role trusts this caller"
        )
    verdict = known.may_assume(Request(known.caller, action, arn, context), callers.trust_of(role))
    if not verdict.allowed:
        raise denied(request, known.caller.arn or known.caller.federated, action, arn, verdict.because)


def _bearer(token: str) -> tuple[Known, dict[str, list[str]]]:
    """Whom a token speaks for, and what it says."""
    known = [
        Provider(one.arn, one.url, one.client_id_list) for one in callers.backend().open_id_providers.values()
    ]
    try:
        provider, claims = tokens.verify(token, known)
    except BadToken as bad:
        raise Refusal(400, bad.code, str(bad)) from bad
    return Known(Caller(ACCOUNT, federated=provider.arn)), tokens.context(provider, claims)


def _refuse_what_is_not_here(request: HttpRequest, call: Call) -> None:
    for what in (request.service, call.action):
        if what in NOT_HERE:
            raise Unknown(NOT_HERE[what])
    if call.action == "iam:CreateUser" and request.texts("PermissionsBoundary"):
        raise Unknown("permissions boundaries of users (those of roles are)")
    host = signatures.address_of(request)
    if request.service == "s3" and host != "localhost" and not _is_address(host):
        raise Unknown("buckets in the host's name (use path-style addressing)")


def _check_policies(request: HttpRequest) -> None:
    """A policy that could not be judged later is refused when it is made."""
    if request.service == "s3":
        if request.method == "PUT" and "policy" in request.query:
            Policy.parse(request.body.decode("utf-8", "replace"))
        return
    found = [text for name in POLICIES for text in request.texts(name)]
    if request.service in ("sns", "sqs"):
        attributes = request.parameters.get("Attributes")
        if isinstance(attributes, dict):
            found += [str(attributes.get("Policy", ""))]
        elif request.parameters.get("AttributeName") == "Policy":
            found += request.texts("AttributeValue")
    for text in found:
        if text.lstrip().startswith("{"):
            Policy.parse(unescape(text))


def _context(request: HttpRequest) -> dict[str, list[str]]:
    now = time.time()
    address = request.headers.get("x-labs-source-ip", request.address)
    context = {
        "aws:currenttime": [datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")],
        "aws:epochtime": [str(int(now))],
        "aws:requestedregion": [request.region],
        "aws:resourceaccount": [ACCOUNT],
        "aws:securetransport": ["false" if request.headers.get("x-labs-transport") == "http" else "true"],
        "aws:sourceip": [address],
    }
    for header, key in (("user-agent", "aws:useragent"), ("referer", "aws:referer")):
        if header in request.headers:
            context[key] = [request.headers[header]]
    return context


class WithTags(dict[str, Sequence[str]]):
    """A context, and the tags of what the request is about, read when a policy asks for them."""

    PREFIXES = ("s3:existingobjecttag/", "aws:resourcetag/", "ecr:resourcetag/")

    def __init__(self, context: Mapping[str, Sequence[str]], arn: str | None) -> None:
        super().__init__(context)
        self.arn = arn

    def get(self, key: str, default: Any = None) -> Any:
        if not key.startswith(self.PREFIXES):
            return super().get(key, default)
        tags = callers.resource_tags(self.arn) if self.arn and self.arn.startswith("arn:") else None
        if tags is None or (key.startswith("aws:") and str(self.arn).startswith("arn:aws:s3:")):
            raise Unknown(f"tags of {self.arn}")
        found = {name.lower(): value for name, value in tags.items()}.get(key.partition("/")[2])
        return default if found is None else [found]


def _claims(request: HttpRequest) -> dict[str, Any]:
    try:
        claims = json.loads(request.body)
    except ValueError as error:
        raise Refusal(400, "InvalidRequest", "Send the claims as a JSON object.") from error
    if not isinstance(claims, dict) or not all(isinstance(claims.get(name), str) for name in ("iss", "sub")):
        raise Refusal(400, "InvalidRequest", "The claims are a JSON object with at least iss and sub.")
    return claims


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _json(start: Start, body: dict[str, Any]) -> Iterable[bytes]:
    text = json.dumps(body).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]
