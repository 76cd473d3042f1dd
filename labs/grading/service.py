"""A learner's application, spoken to over HTTP through a listener that the grader made.

The listener is a Unix socket in the judge's private folder, handed over as an open descriptor: no port, no race, and no
path that the learner's process could reach. Time is taken here, on the grader's side.
"""

from __future__ import annotations

import contextlib
import http.client
import json as jsonlib
import signal as signals
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labs.grading import wire
from labs.grading.compare import exit_words, limit_words, parse_json, shorten, show
from labs.grading.evidence import Evidence, Finished, Mismatch, Raised, Reply, raised
from labs.grading.load import Load, burst
from labs.grading.running import Running
from labs.results import Finding

MAX_BODY = 16 * 2**20
SHOWN_BODY = 120


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Service(Evidence):
    """A running application."""

    def __init__(self, target: str, running: Running, listener: Path) -> None:
        super().__init__(did=f"serve {target}")
        self.target = target
        self.running = running
        self.listener = listener

    @property
    def alive(self) -> bool:
        return self.running.alive

    @property
    def log(self) -> str:
        return self.running.stdout.text() + self.running.stderr.text()

    def await_start(self, timeout: float) -> None:
        """Wait until the application has started; fail the check, in the learner's terms, when it does not."""
        channel = self.running.channel
        assert channel is not None
        try:
            news = wire.receive(channel, timeout)
        except TimeoutError:
            self.running.sandbox.out_of_time = True
            self.fail(
                wanted=f"the application starts within {timeout:g} s",
                got="it is still starting",
                hint="Load what is slow in the background, and say so in the readiness route.",
            )
        except (wire.Closed, wire.WireError):
            self.running.wait(2)
            self._fail_dead()
        if "missing" in news:
            raise Mismatch(
                Finding(self.did, f"`{self.target}`", news["missing"], "Check the names in the contract.")
            )
        if "error" in news:
            self._fail_raised(news["error"])
        if not news.get("up"):
            self.running.wait(2)
            self._fail_dead()

    def get(self, path: str, **kwargs: Any) -> Reply:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Reply:
        return self.request("POST", path, **kwargs)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
    ) -> Reply:
        """One request on a connection of its own. `timeout` bounds it whole, in seconds; no reply fails the check."""
        body = jsonlib.dumps(json).encode() if content is None and json is not None else content
        body = body.encode() if isinstance(body, str) else body
        sent = {"Content-Type": "application/json"} if body is not None else {}
        did = describe(method, path, body)
        started = time.monotonic()
        connection = _Connection(self.listener, timeout)
        try:
            connection.request(method, path, body=body, headers={**sent, **(headers or {})})
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may refuse a large body before it has read it all: its reply is still there to read
        except OSError:
            self._fail_silent(did, timeout)
        try:
            status, reply_headers, data = _read_reply(connection, started + timeout)
        except (OSError, http.client.HTTPException, TimeoutError):
            self._fail_silent(did, timeout)
        finally:
            connection.close()
        seconds = time.monotonic() - started
        return Reply(
            did, status=status, headers=reply_headers, body=data, seconds=seconds, output=self.log[-2000:]
        )

    def poll(self, path: str, *, status: int = 200, timeout: float = 10.0, every: float = 0.02) -> Reply:
        """Ask until the reply has `status`; fail the check when it does not come in time."""
        deadline = time.monotonic() + timeout
        while True:
            reply = self.get(path, timeout=max(0.1, min(5.0, deadline - time.monotonic())))
            if reply.status == status:
                return reply
            if time.monotonic() > deadline:
                reply.fail(
                    wanted=f"status {status} within {timeout:g} s", got=f"status {reply.status} all the time"
                )
            time.sleep(every)

    def stop(self, signal: str = "SIGTERM", timeout: float = 10.0) -> Finished:
        """Send a signal and wait for the end. Still running after `timeout` seconds: `killed` is "time"."""
        started = time.monotonic()
        self.running.signal(signals.Signals[signal])
        if not self.running.wait(timeout):
            self.running.kill("time")
            self.running.wait(5)
        return Finished(
            f"{signal} to {self.target}",
            status=self.running.status if self.running.status is not None else -9,
            stdout=self.running.stdout.text(),
            stderr=self.running.stderr.text(),
            seconds=time.monotonic() - started,
            killed=self.running.killed,
            output=self.log[-2000:],
        )

    def signal(self, name: str) -> None:
        self.running.signal(signals.Signals[name])

    def connect(self, timeout: float = 5.0) -> socket.socket:
        """A connection with nothing sent on it yet, for what no good client does: half a request, a hang-up."""
        connection = _Connection(self.listener, timeout)
        connection.connect()
        return connection.sock

    def load(
        self,
        method: str,
        path: str,
        *,
        bodies: Sequence[Any] = (),
        concurrency: int = 1,
        seconds: float = 1.0,
        requests: int = 0,
    ) -> Load:
        """Requests one after the other on each of `concurrency` kept-alive connections, for `seconds` or `requests`."""
        return burst(self.listener, method, path, bodies, concurrency, seconds, requests)

    def _fail_silent(self, did: str, timeout: float) -> None:
        if self.running.wait(0.2):
            self._fail_dead(did)
        wanted = f"a reply within {timeout:g} s"
        raise Mismatch(
            Finding(did, wanted, "no reply", "Find what waits: a loop, a lock, or a slow call."), self.log
        )

    def _fail_raised(self, error: dict[str, Any]) -> None:
        raise raised(self.did, raised_from(error), self.log, wanted="an application that starts")

    def _fail_dead(self, did: str = "") -> None:
        ended = self.running
        news = self._last_news()
        if "error" in news:
            self._fail_raised(news["error"])
        last = next((line for line in reversed(self.log.splitlines()) if line.strip()), "")
        words = limit_words(ended.killed) or exit_words(ended.status or 0)
        got = f"the service ended ({words})" + (f": {shorten(last.strip(), 160)}" if last else "")
        raise Mismatch(
            Finding(did or self.did, "a running service", got, "Start it yourself and read its output."),
            self.log,
        )

    def _last_news(self) -> dict[str, Any]:
        """What the dead service said last on its channel, which nobody may have waited for."""
        news: Any = {}
        with contextlib.suppress(OSError, wire.Closed, wire.WireError):
            while self.running.channel is not None:
                news = wire.receive(self.running.channel, 0.1)
        return news if isinstance(news, dict) else {}


def raised_from(error: Mapping[str, Any]) -> Raised:
    """An exception that a worker described; every part is text from the learner's side, so it is shortened."""
    text = {key: shorten(str(error.get(key, "")), 300) for key in ("type", "message", "where", "line")}
    return Raised(
        text["type"], text["message"], text["where"], text["line"], tuple(map(str, error.get("bases", ())))
    )


def describe(method: str, path: str, body: bytes | None) -> str:
    if body is None:
        return f"{method} {path}"
    if len(body) > 4096:
        return f"{method} {path} with a body of {len(body):,} bytes"
    try:
        return f"{method} {path} {shorten(show(parse_json(body)), SHOWN_BODY)}"
    except ValueError:
        return f"{method} {path} {shorten(body.decode('utf-8', 'replace'), SHOWN_BODY)}"


def _read_reply(connection: _Connection, deadline: float) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower-case names) and body, however slowly they drip, until `deadline`."""

    def left() -> float:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    sock = connection.sock
    sock.settimeout(left())
    reply = connection.getresponse()
    data = bytearray()
    while True:
        with contextlib.suppress(OSError):
            sock.settimeout(left())
        chunk = reply.read1(2**16)
        if not chunk:
            break
        data += chunk
        if len(data) > MAX_BODY:
            raise TimeoutError
    return reply.status, {key.lower(): value for key, value in reply.getheaders()}, bytes(data)
