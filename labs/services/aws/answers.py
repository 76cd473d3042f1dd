"""Refusals, in the form that each protocol's clients read as an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from xml.sax.saxutils import escape

from labs.services.aws.request import RPC, HttpRequest

Start = Callable[..., Any]
REASONS = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 501: "Not Implemented"}


class Refusal(Exception):
    """The API says no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def not_here(what: str) -> Refusal:
    """For what would not be right here, and must not seem so."""
    message = f"The embedded AWS API refuses this: it does not evaluate {what}. See docs/services.md."
    return Refusal(501, "NotImplemented", message)


def denied(request: HttpRequest, caller: str, action: str, resource: str | None, because: str) -> Refusal:
    """As AWS says it, with the reason."""
    words = f"User: {caller or 'anonymous'} is not authorized to perform: {action}"
    words += f" on resource: {resource}" if resource and resource != "*" else ""
    code = "AccessDenied"
    if request.service == "ec2":
        code = "UnauthorizedOperation"
    elif "json" in request.headers.get("content-type", "") or RPC.fullmatch(request.path):
        code = "AccessDeniedException"
    return Refusal(403, code, f"{words} because {because}")


def answer(request: HttpRequest, refusal: Refusal, start: Start) -> Iterable[bytes]:
    kind, body, headers = _body(request, refusal)
    length = ("Content-Length", str(len(body)))
    start(
        f"{refusal.status} {REASONS.get(refusal.status, 'Refused')}",
        [("Content-Type", kind), length, *headers],
    )
    return [b"" if request.method == "HEAD" else body]


def _body(request: HttpRequest, refusal: Refusal) -> tuple[str, bytes, list[tuple[str, str]]]:
    if RPC.fullmatch(request.path):
        fields = {"__type": refusal.code, "message": refusal.message}
        return "application/cbor", _cbor(fields), [("smithy-protocol", "rpc-v2-cbor")]
    if "x-amz-target" in request.headers:
        fields = {"__type": refusal.code, "message": refusal.message}
        return (
            request.headers.get("content-type", "application/x-amz-json-1.1"),
            json.dumps(fields).encode(),
            [],
        )
    error = f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
    if request.service == "s3":
        return "application/xml", f"<Error>{error}</Error>".encode(), []
    if request.service == "ec2":
        return "text/xml", f"<Response><Errors><Error>{error}</Error></Errors></Response>".encode(), []
    return (
        "text/xml",
        f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>".encode(),
        [],
    )


def _cbor(fields: dict[str, str]) -> bytes:
    """A map of texts (RFC 8949, major types 5 and 3)."""

    def head(major: int, size: int) -> bytes:
        return bytes([major << 5 | 25]) + size.to_bytes(2, "big")

    texts = (text.encode() for pair in fields.items() for text in pair)
    return head(5, len(fields)) + b"".join(head(3, len(text)) + text for text in texts)
