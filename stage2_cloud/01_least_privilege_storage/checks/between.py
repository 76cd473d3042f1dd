"""A proxy between a learner's process and the AWS API: every request waits until the grader says what becomes of it.

One request at a time goes through, so the n-th is always the n-th. The grader's own requests, and those of other
processes of the learner's, go to the API directly.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length", "date", "server"}
PATIENCE = 60.0  # seconds without a request, after which nothing more is to be expected
WRITES = {"PUT", "POST", "DELETE"}


@dataclass
class Held:
    """A request that waits. Its writer waits for the answer."""

    method: str
    target: str
    passes: bool = False
    decided: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def writes(self) -> bool:
        return self.method in WRITES

    def is_about(self, ending: str) -> bool:
        return urlsplit(self.target).path.endswith(ending)

    def go(self) -> None:
        """Let it through, and wait until it was answered."""
        self.passes = True
        self.decided.set()
        self.answered.wait(PATIENCE)


class Between:
    """Use it as a context. `url` is what the learner's process gets for AWS_ENDPOINT_URL."""

    def __init__(self, api: str) -> None:
        self._api = urlsplit(api)
        self._arrived: queue.Queue[Held] = queue.Queue()
        self._one = threading.Lock()
        self._cut = False
        self._held: list[Held] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Between:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.shutdown()
        self._server.server_close()

    def next(self, goes_on: Callable[[], bool]) -> Held | None:
        """The next request that waits; None when the process has ended, or asks for nothing more."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = not goes_on()
            with contextlib.suppress(queue.Empty):
                return self._arrived.get(timeout=0.01)
            if ended:
                return None
        return None

    def cut(self) -> None:
        """Nothing goes through any more, and nothing that waits."""
        self._cut = True
        for held in list(self._held):
            held.decided.set()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are written apart

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the learner's process was killed
                    self.close_connection = True

            def handle_expect_100(self) -> bool:
                return True  # the body is asked for when the request may pass

            def do(self) -> None:
                between._pass_on(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _pass_on(self, asked: BaseHTTPRequestHandler) -> None:
        with self._one:
            held = Held(asked.command, asked.path)
            self._held.append(held)
            if not self._cut:
                self._arrived.put(held)
                held.decided.wait(PATIENCE * 3)
            if self._cut or not held.passes:
                asked.close_connection = True
                return
            try:
                self._forward(asked)
            finally:
                held.answered.set()

    def _forward(self, asked: BaseHTTPRequestHandler) -> None:
        if asked.headers.get("Expect", "").lower() == "100-continue":
            asked.send_response_only(100)
            asked.end_headers()
        size = int(asked.headers.get("Content-Length") or 0)
        body = asked.rfile.read(size) if size else b""
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in HOP_BY_HOP}
        api = http.client.HTTPConnection(self._api.hostname or "", self._api.port, timeout=60)
        try:
            api.putrequest(asked.command, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                api.putheader(name, value)
            api.putheader("Content-Length", str(len(body)))
            api.endheaders(body)
            answer = api.getresponse()
            content = answer.read()
        finally:
            api.close()
        asked.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                asked.send_header(name, value)
        length = answer.headers.get("Content-Length") if asked.command == "HEAD" else str(len(content))
        asked.send_header("Content-Length", length or "0")
        asked.end_headers()
        asked.wfile.write(content)
