"""Who signed a request: Signature Version 4, calculated anew with botocore's own signer and compared.

Source: "AWS Signature Version 4 for API requests" (AWS General Reference).
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from labs.services.aws.request import HttpRequest

SIGNATURE = re.compile(r"Signature=([0-9a-f]+)")
SIGNED_HEADERS = re.compile(r"SignedHeaders=([^,\s]+)")


class BadSignature(Exception):
    """The signature is not this key's, or it is too old; the message says which."""


def is_signed(request: HttpRequest) -> bool:
    return request.scope is not None


def key_id(request: HttpRequest) -> str:
    return request.scope.group(1) if request.scope else ""


def token(request: HttpRequest) -> str:
    return request.headers.get("x-amz-security-token") or request.query.get("X-Amz-Security-Token", "")


def check(request: HttpRequest, secret: str, now: datetime | None = None) -> None:
    """
    Raises:
        BadSignature: it was not signed with this secret.
    """
    assert request.scope is not None
    key, _, region, service = request.scope.groups()
    credentials = Credentials(key, secret, token(request) or None)
    url = f"http://{request.headers.get('host', '')}{request.target}"
    if "authorization" in request.headers:
        said = request.headers["authorization"]
        names, got = SIGNED_HEADERS.search(said), SIGNATURE.search(said)
        signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region)
        moment = request.headers.get("x-amz-date", "")
    else:
        names = re.search(r"(.+)", request.query.get("X-Amz-SignedHeaders", ""))
        got = re.search(r"(.+)", request.query.get("X-Amz-Signature", ""))
        signer = S3SigV4QueryAuth(credentials, service, region)
        moment = request.query.get("X-Amz-Date", "")
        _not_too_old(moment, request.query.get("X-Amz-Expires", ""), now or datetime.now(UTC))
        url = re.sub(r"&?X-Amz-Signature=[0-9a-f]+", "", url)
    if names is None or got is None or not moment:
        raise BadSignature("the signature is not complete")
    signed = {name: request.headers[name] for name in names.group(1).split(";") if name in request.headers}
    asked = AWSRequest(request.method, url, signed, request.body)
    asked.context["timestamp"] = moment
    wanted = signer.signature(signer.string_to_sign(asked, signer.canonical_request(asked)), asked)
    if not hmac.compare_digest(wanted, got.group(1)):
        raise BadSignature("The request signature we calculated does not match the signature you provided.")


def _not_too_old(moment: str, seconds: str, now: datetime) -> None:
    try:
        signed = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ends = signed + timedelta(seconds=int(seconds))
    except ValueError as error:
        raise BadSignature("the signature is not complete") from error
    if now > ends:
        raise BadSignature("Request has expired")


def address_of(request: HttpRequest) -> str:
    """The host that a client thinks it speaks to, without the port."""
    return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
