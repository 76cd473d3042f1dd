"""What rotate.py speaks to: the cluster's API and the database at one address, and the grader in between.

Every request moves the cluster's clock on by a second. After it, the grader looks: which pods run, which
password each has read at its start, and whether the database would let them in.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from database import Database
from kube import Kube, Obj
from submission import SECRET

WRITES = ("PUT", "POST", "PATCH", "DELETE")
PATIENCE = 5.0  # seconds that one of two waits for the other


@dataclass
class Seen:
    """What was seen during one stretch.

    Attributes: `lockouts`, in words; `fewest` ready pods; `writes`; `targets`; and `written`: (where, what) was put
    into objects, but for the keys of the Secret that may hold passwords.
    """

    lockouts: list[str] = field(default_factory=list)
    fewest: int = 99
    writes: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)


class Between:
    """Use it as a context. `kill_at`: the number of the write after which `kill` is called instead of an answer."""

    def __init__(self, kube: Kube, database: Database) -> None:
        self.kube, self.database = kube, database
        self.seen = Seen()
        self.kill_at, self.kill = 0, lambda: None
        self.after_each_write: Callable[[], None] = lambda: None  # before it is answered
        self.pair: Pair | None = None
        self.fault = False
        self.staged = set[str]()  # passwords that were ever sent for the Secret
        self._passwords: dict[str, str] = {}  # what each running pod has read, by uid
        self.one_at_a_time = threading.Lock()
        self._dead = False

    def __enter__(self) -> Between:
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, who)) for who in (0, 1)]
        for one in self._servers:
            one.daemon_threads = True
            threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
        self.ports = [int(one.server_address[1]) for one in self._servers]
        return self

    def __exit__(self, *_: object) -> None:
        if self.pair:
            self.pair.over()
        for one in self._servers:
            one.shutdown()
            one.server_close()

    @property
    def urls(self) -> list[str]:
        """An address for each of two processes, so that the grader can tell them apart."""
        return [f"http://127.0.0.1:{one}" for one in self.ports]

    def begin(self, kill_at: int = 0, kill: Callable[[], None] = lambda: None) -> None:
        """A new stretch of looking."""
        with self.one_at_a_time:
            self.seen, self.kill_at, self.kill, self._dead = Seen(), kill_at, kill, False

    def answer(
        self, who: int, method: str, target: str, headers: Any, body: bytes
    ) -> tuple[int, bytes] | None:
        """One request of the learner's, `who` is 0 or 1.

        Returns: status and body; None when it gets no answer, as its sender is dead.
        """
        path = urlsplit(target).path
        writes = method in WRITES and path != "/database/login"
        if self.pair:
            self.pair.meet(who, writes)
        with self.one_at_a_time:
            if self._dead:
                return None
            self.database.asked += 1
            found = self._pass_on(method, target, headers, body)
            self.kube.wait(1)
            self.seen.targets.append(target)
            if writes:
                self.seen.writes.append(f"{method} {path}")
                self._note(method, path, body)
                self.after_each_write()
                if self.pair:
                    self.pair.wrote(who)
            root, _, name = path.partition("/passwords/")
            self.look(f"after {method} {root}/passwords/…" if name else f"after {method} {path}")
            if writes and self.kill_at and len(self.seen.writes) == self.kill_at:
                self._dead = True
                self.kill()
                return None
            return found

    def _pass_on(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        address = urlsplit(target)
        token = str(headers.get("Authorization", "")).removeprefix("Bearer ").strip()
        if address.path.startswith("/database/"):
            status, said = self.database.answer(method, address.path.removeprefix("/database"), token, body)
            return status, b"" if said is None else json.dumps(said).encode()
        if parse_qs(address.query).get("watch", ["0"])[0] in ("1", "true"):
            return 501, b'{"kind": "Status", "code": 501, "message": "no watch here: look again and again"}'
        about_secret = method in WRITES and f"/secrets/{SECRET}" in address.path
        if about_secret:
            self.staged |= passwords_in(body)
        if self.fault and about_secret:
            told = {
                "kind": "Status",
                "status": "Failure",
                "code": 422,
                "message": f"invalid: {body.decode()}",
            }
            return 422, json.dumps(told).encode()
        kind = str(headers.get("Content-Type", "application/json"))
        return self.kube.send(method, target, body, kind, token=token or "none")

    def _note(self, method: str, path: str, body: bytes) -> None:
        """What a write has put where no password belongs."""
        if path.startswith("/database/"):
            return
        if f"/secrets/{SECRET}" not in path:
            self.seen.written.append((f"what {method} {path} sent", body.decode(errors="replace")))
            return
        meta = json.dumps(self.kube.get("Secret", SECRET)["metadata"])
        self.seen.written.append((f"the metadata of Secret {SECRET}", meta))
        for key, value in self.secret().items():
            if "password" not in key:
                self.seen.written.append((f"the key `{key}` of Secret {SECRET}", value))

    # What the grader sees

    def pods(self) -> list[Obj]:
        """Pods of the Deployment fraud whose process runs, those that are about to end among them."""
        return [one for one in self.kube.items("Pod") if _owned(one) and _runs(one)]

    def secret(self) -> dict[str, str]:
        data = self.kube.get("Secret", SECRET).get("data") or {}
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}

    def look(self, when: str) -> None:
        """Let every running pod log in, and one that starts at this moment."""
        now = self.secret().get("password", "")
        ready = 0
        for pod in self.pods():
            mine = self._passwords.setdefault(pod["metadata"]["uid"], now)
            ready += _ready(pod)
            if not self.database.accepts(mine):
                going = " that is about to end" if pod["metadata"].get("deletionTimestamp") else ""
                self.seen.lockouts.append(f"{when}: a running pod{going} cannot log in")
        if not self.database.accepts(now):
            self.seen.lockouts.append(
                f"{when}: a pod that starts now cannot log in: its file is not accepted"
            )
        self.seen.fewest = min(self.seen.fewest, ready)

    def in_use(self) -> set[str]:
        """The passwords that running pods have read."""
        return {self._passwords[one["metadata"]["uid"]] for one in self.pods()}


class Pair:
    """Two processes at once, in an order that we choose.

    Neither writes before both are about to; then the first is `ahead` writes ahead. With `slow`, the second one reads
    slowly instead: once, then when the first has written twice, and on when it has written three times. Then the first
    waits with its fourth write until the second one writes.
    """

    def __init__(self, ahead: int, slow: bool = False) -> None:
        self._ahead, self._slow = ahead, slow
        self._arrived, self._done, self._asked = set[int](), [0, 0], 0
        self._over = False
        self._changed = threading.Condition()

    def meet(self, who: int, writes: bool) -> None:
        """Wait until this one (0 or 1) may go on."""
        end = time.monotonic() + PATIENCE
        with self._changed:
            if writes:
                self._arrived.add(who)
            self._asked += who
            turn = self._asked
            self._changed.notify_all()
            while not self._may(who, writes, turn) and time.monotonic() < end:
                self._changed.wait(0.05)

    def _may(self, who: int, writes: bool, turn: int) -> bool:
        if self._over:
            return True
        first, second = self._done
        if not self._slow:
            return not writes or (len(self._arrived) == 2 and (who == 0 or first >= self._ahead))
        if who == 0:
            return not writes or (self._asked > 0 and (first < 3 or second > 0))
        return first >= (0, 2, 3)[min(turn, 3) - 1]

    def wrote(self, who: int) -> None:
        with self._changed:
            self._done[who] += 1
            self._changed.notify_all()

    def over(self) -> None:
        """One of them has ended: nobody waits any more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()


def passwords_in(body: bytes) -> set[str]:
    """Values of keys that have `password` in their name, in what was sent for a Secret: an object or a merge patch."""
    try:
        said = json.loads(body)
    except ValueError:
        return set()
    found = set[str]()
    for part, plain in (("data", False), ("stringData", True)):
        values = said.get(part) if isinstance(said, dict) else None
        for key, value in (values if isinstance(values, dict) else {}).items():
            if "password" in key and isinstance(value, str):
                with contextlib.suppress(ValueError):
                    found.add(value if plain else base64.b64decode(value).decode())
    return {one for one in found if one}


def _owned(pod: Obj) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    return any(str(one["name"]).startswith("fraud-") and one["kind"] == "ReplicaSet" for one in owners)


def _runs(pod: Obj) -> bool:
    states = (pod.get("status") or {}).get("containerStatuses") or []
    return any("running" in (one.get("state") or {}) for one in states)


def _ready(pod: Obj) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    every = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in every)


def _handler(between: Between, who: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are written apart

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the learner's process was killed
                self.close_connection = True

        def do(self) -> None:
            size = min(int(self.headers.get("Content-Length") or 0), 1_000_000)
            body = self.rfile.read(size) if size else b""
            found = between.answer(who, self.command, self.path, self.headers, body)
            if found is None:
                self.close_connection = True
                return
            status, content = found
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do

        def log_message(self, *_: object) -> None:
            pass

    return Handler
