"""An HTTP request to the AWS API, read once."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SCOPE = re.compile(r"Credential=([^/]*)/(\d{8})/([^/]*)/([a-z0-9-]+)/aws4_request")
TARGET = re.compile(r"(?:.*\.)?([A-Za-z0-9]+)")
RPC = re.compile(r"/service/([A-Za-z0-9_]+)/operation/([A-Za-z0-9]+)")
SIGNED_AS = {
    "monitoring": "cloudwatch",
    "email": "ses",
    "tagging": "tag",
}  # signing names that are no prefix of actions


@dataclass(frozen=True)
class HttpRequest:
    """`target` is the path with the query, as it came; `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    address: str

    @classmethod
    def read(cls, environ: dict[str, Any]) -> HttpRequest:
        """Takes the body out of a WSGI request and puts it back for whoever comes next."""
        length = environ.get("CONTENT_LENGTH")
        stream = environ["wsgi.input"]
        body = (
            stream.read(int(length))
            if length
            else stream.read()
            if environ.get("wsgi.input_terminated")
            else b""
        )
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        if not length:
            headers.pop("content-length", None)
        target = environ.get("REQUEST_URI") or environ["PATH_INFO"]
        return cls(environ["REQUEST_METHOD"], target, headers, body, environ.get("REMOTE_ADDR", "127.0.0.1"))

    @functools.cached_property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @functools.cached_property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @functools.cached_property
    def scope(self) -> re.Match[str] | None:
        """Key, date, region and service of the signature, in the header or in the address."""
        said = self.headers.get("authorization") or "Credential=" + self.query.get("X-Amz-Credential", "")
        return SCOPE.search(said)

    @property
    def service(self) -> str:
        """As its actions are prefixed; "" where nothing tells. Who shows a token (STS) does not sign."""
        if self.scope:
            return SIGNED_AS.get(self.scope.group(4), self.scope.group(4))
        return "sts" if self.operation.startswith("AssumeRoleWith") else "s3" if not self.operation else ""

    @property
    def region(self) -> str:
        return self.scope.group(3) if self.scope else "ap-south-1"

    @functools.cached_property
    def operation(self) -> str:
        """The operation of all protocols but REST, where it is ""."""
        if found := RPC.fullmatch(self.path):
            return found.group(2)
        if found := TARGET.fullmatch(self.headers.get("x-amz-target", "")):
            return found.group(1)
        return str(self.parameters.get("Action", ""))

    @functools.cached_property
    def parameters(self) -> Mapping[str, Any]:
        """What is asked with: fields of a form (`Tags.member.1.Key`) or of JSON."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            form = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
            return {**self.query, **dict(form)}
        if "json" in kind:
            try:
                body = json.loads(self.body or b"{}")
            except ValueError:
                return {}
            return body if isinstance(body, dict) else {}
        return self.query

    def texts(self, name: str) -> list[str]:
        """A parameter that is one text or several: `AlarmNames`, `AlarmNames.member.1`."""
        found = self.parameters.get(name)
        if isinstance(found, list):
            return [str(one) for one in found]
        if found is not None:
            return [str(found)]
        several = re.compile(rf"{re.escape(name)}\.(?:member\.|entry\.)?\d+")
        return [str(value) for key, value in self.parameters.items() if several.fullmatch(key)]

    def tags(self) -> dict[str, str]:
        """Tags that the request brings, in the shapes that AWS's services have for them."""
        for name in ("Tags", "tags", "Tag"):
            found = self.parameters.get(name)
            if isinstance(found, dict):
                return {str(key): str(value) for key, value in found.items()}
            if isinstance(found, list):
                pairs = [
                    {str(key).lower(): value for key, value in one.items()}
                    for one in found
                    if isinstance(one, dict)
                ]
                return {str(pair.get("key")): str(pair.get("value", "")) for pair in pairs}
        keys = {
            match.group(1): str(value)
            for name, value in self.parameters.items()
            if (match := re.fullmatch(r"(Tags?\.(?:member\.)?\d+)\.Key", name))
        }
        return {key: str(self.parameters.get(f"{stem}.Value", "")) for stem, key in keys.items()}
