"""A real Prometheus that scrapes the learner's service over a bridge: the sandbox has no port that it could reach."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from labs.checks import Reply

PATIENCE = 12.0  # seconds
EVERY_SECOND = """global:
  scrape_interval: 1s
scrape_configs:
  - job_name: fraud
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


class Told:
    """Prometheus, told to scrape what `read` gives."""

    def __init__(self, running: Any, read: Callable[[], Reply]) -> None:
        class Bridge(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                reply = read()
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.headers.get("content-type", ""))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                return

        self.url = running.url
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bridge)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        settings = EVERY_SECOND.format(port=self._server.server_port)
        (running.data / "prometheus.yml").write_text(settings)
        httpx.post(f"{self.url}/-/reload", timeout=10).raise_for_status()

    def ask(self, query: str) -> float | None:
        """The first value; None if there is none."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10)
        result = json.loads(answer.text)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def until(self, query: str, holds: Callable[[float], bool]) -> float | None:
        deadline = time.monotonic() + PATIENCE
        while True:
            value = self.ask(query)
            if (value is not None and holds(value)) or time.monotonic() > deadline:
                return value
            time.sleep(0.2)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
