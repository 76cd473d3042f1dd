"""Answers as ECR gives them, and how they travel over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

DROPPED = {"connection", "content-length", "transfer-encoding", "keep-alive", "date", "server"}


@dataclass(frozen=True)
class Said:
    """An answer. Status 0: the connection closes without one."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")

    @property
    def code(self) -> str:
        return self.json.get("__type", "").rpartition("#")[2] if self.status >= 400 else ""


def error(code: str, message: str = "", status: int = 400) -> Said:
    return Said(status, json.dumps({"__type": code, "message": message or code}).encode())


def throttled() -> Said:
    return error("ThrottlingException", "Rate exceeded")


SILENCE = Said(0, b"")


def forwarded(host: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Said:
    """What `host` answers to this request, which keeps the `Host` that it was signed with."""
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for key, value in headers.items():
            if key.lower() not in DROPPED:
                connection.putheader(key, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        kept = {key: value for key, value in reply.getheaders() if key.lower() not in DROPPED}
        return Said(reply.status, reply.read(), kept)
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    answer: Callable[[str, str, Mapping[str, str], bytes], Said]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written apart

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            said = self.answer(self.command, self.path, self.headers, body)
            if not said.status:
                self.close_connection = True
                return
            self.send_response(said.status)
            for key, value in {"Content-Type": "application/x-amz-json-1.1", **said.headers}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self.close_connection = True  # the asker has gone, or asked what nobody can read

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _any

    def log_message(self, *_: Any) -> None:
        return
