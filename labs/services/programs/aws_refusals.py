"""What the embedded AWS API must not seem to do: moto accepts it, and then behaves as AWS would not.

Refused with the status 501 and the code NotImplemented, in the form that AWS's own clients read. The list was found by
trying (docs/services.md says what happened), not by reading moto's own.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

POLICIES = ("PolicyDocument", "AssumeRolePolicyDocument")
MOST_BYTES = 256 * 1024  # AWS's own limit for a request of these is far lower
SCOPE = re.compile(r"Credential=[^/]*/\d{8}/[^/]*/([a-z0-9-]+)/aws4_request")
CONDITION = (
    "this API does not evaluate the Condition of a policy: it would allow what the condition forbids. "
    "Leave the Condition out, or try the policy on AWS"
)
WEB_IDENTITY = "this API does not check tokens of an identity provider: it would trust any"
CLOUDFORMATION = (
    "this API builds templates too loosely to be of use: no outputs, no allowed values, no alarms"
)


class Refusing:
    """A WSGI application in front of moto's."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        service = service_of(environ)
        if (
            service in ("iam", "sts", "cloudformation")
            or _is_form(environ)
            or _is_bucket_policy(service, environ)
        ):
            body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), MOST_BYTES))
            environ["wsgi.input"] = io.BytesIO(body)
            because = why_not(service, body.decode("utf-8", errors="replace"))
            if because:
                return _refuse(service, because, start_response)
        return self.application(environ, start_response)


def service_of(environ: dict[str, Any]) -> str:
    """The service that a signed request is for; "" if it is not signed."""
    found = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return found.group(1) if found else ""


def why_not(service: str, body: str) -> str:
    """Why this request is refused; "" if it is not."""
    if service == "s3":
        return CONDITION if has_condition(body) else ""
    asked = parse_qs(body)
    if service == "cloudformation":
        return CLOUDFORMATION
    if asked.get("Action") == ["AssumeRoleWithWebIdentity"]:
        return WEB_IDENTITY
    policies = [text for key in POLICIES for text in asked.get(key, [])]
    return CONDITION if any(map(has_condition, policies)) else ""


def has_condition(policy: str) -> bool:
    """Whether a statement of this policy has a condition. What is no policy at all is for moto to refuse."""
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError):
        return False
    statements = statements if isinstance(statements, list) else [statements]
    return any(isinstance(one, dict) and one.get("Condition") for one in statements)


def _is_form(environ: dict[str, Any]) -> bool:
    """Whoever shows an identity provider's token does not sign, so the form itself says what is asked."""
    return str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")


def _is_bucket_policy(service: str, environ: dict[str, Any]) -> bool:
    query = environ.get("QUERY_STRING", "").split("&")
    return (
        service == "s3" and environ["REQUEST_METHOD"] == "PUT" and ("policy" in query or "policy=" in query)
    )


def _refuse(service: str, because: str, start_response: Start) -> Iterable[bytes]:
    words = f"The embedded AWS API refuses this: {because}. See docs/services.md."
    error = f"<Code>NotImplemented</Code><Message>{escape(words)}</Message>"
    if service == "s3":
        text = f"<Error>{error}</Error>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
    body = text.encode()
    start_response("501 Not Implemented", [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]
