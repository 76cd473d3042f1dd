"""Stands between the learner's processes and MLflow: sees every request, and may act before or after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from labs.checks import Work

DROPPED = {
    "connection",
    "content-length",
    "transfer-encoding",
    "host",
    "keep-alive",
    "content-encoding",
    "date",
    "server",
}


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str

    @property
    def writes(self) -> bool:
        """Whether it may change what the registry says. MLflow also asks by POST when it searches."""
        return self.method != "GET" and "search" not in self.path

    @property
    def moves_an_alias(self) -> bool:
        return self.method in ("POST", "DELETE") and self.path.startswith(
            "/api/2.0/mlflow/registered-models/alias"
        )

    @property
    def wants_a_file(self) -> bool:
        return "/mlflow-artifacts/" in self.path


def nothing(asked: Asked) -> None:
    return None


@dataclass
class Between:
    """A proxy in front of MLflow at `url`, for one check."""

    url: str
    before: Callable[[Asked], object] = nothing
    after: Callable[[Asked], object] = nothing
    gone: Callable[[Asked], object] = nothing  # what is answered with 404
    silent: bool = False
    refusing: bool = False  # every connection is closed without an answer
    unanswered: int = 0
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Between:
        self._client = httpx.Client(base_url=self.url, timeout=60, verify=False)
        self._turn = threading.Lock()
        self._over = threading.Event()
        handler = type("Handler", (_Handler,), {"between": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def give_to(self, work: Work) -> str:
        """Let the learner's processes of this check reach it; its address, for MLFLOW_TRACKING_URI."""
        port = int(self._server.server_address[1])
        work.reach(port, {})
        return f"http://127.0.0.1:{port}"

    def pass_on(self, handler: _Handler, body: bytes) -> httpx.Response:
        if self.refusing:
            raise ConnectionError
        self.unanswered += self.silent
        while self.silent and not self._over.wait(0.05):
            pass
        asked = Asked(handler.command, handler.path)
        headers = {key: value for key, value in handler.headers.items() if key.lower() not in DROPPED}
        with self._turn:
            self.asked.append(asked)
            self.before(asked)
            if self.gone(asked):
                return httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"})
            reply = self._client.request(handler.command, handler.path, content=body, headers=headers)
            self.after(asked)
        return reply


class _Handler(BaseHTTPRequestHandler):
    between: Between
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # head and body are written apart: the body would wait for an acknowledgement
    )

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = self._chunks()
        try:
            reply = self.between.pass_on(self, body)
            self.send_response(reply.status_code)
            for key, value in reply.headers.items():
                if key.lower() not in DROPPED:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)
        except (OSError, httpx.HTTPError):
            self.close_connection = True  # the asker has gone, or the check is over

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _any

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_: Any) -> None:
        return
