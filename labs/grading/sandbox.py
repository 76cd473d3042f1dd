"""The judge's side of one sandbox: start processes in it, talk to them, read what they left, end it all."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labs.catalog import Limits
from labs.grading import wire
from labs.grading.confine import AUTHORITY, LAYERS
from labs.grading.relay import relay
from labs.grading.running import Running


class SandboxBroken(RuntimeError):
    """The engine, not the learner, failed to make or run a sandbox."""


@dataclass(frozen=True)
class Place:
    """Where sandboxes come from: the warm parent's address, a private folder, and which layers to try."""

    warm: str
    session: Path
    allowed: tuple[str, ...] = LAYERS

    def new(self, kind: str) -> Path:
        """A path in the private folder that nobody has used: in a long session, process ids come round again."""
        return self.session / f"{kind}-{secrets.token_hex(8)}"


class Sandbox:
    """A box of the learner's files and processes. Everything in it ends with `close`."""

    def __init__(self, place: Place, folder: Path, limits: Limits, readable: tuple[str, ...] = ()) -> None:
        self.limits = limits
        self.place = place
        self.layers: dict[str, str] = {}
        self.killed = ""
        self.out_of_time = False  # whether something in it had to be ended because it went on for too long
        self.box = place.new("box")
        self.box.mkdir(mode=0o700)
        self.ports: list[int] = []
        self.variables: dict[str, str] = {}
        self._running: dict[int, Running] = {}
        self._started: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._news = threading.Condition()
        self._next = 0
        self._gone = threading.Event()
        ours, theirs = socket.socketpair()
        self.keeper = socket.socket(socket.AF_UNIX)
        self.keeper.connect(place.warm)
        socket.send_fds(self.keeper, [b"K"], [theirs.fileno()])
        theirs.close()
        request = {
            "role": "keeper",
            "box": str(self.box),
            "folder": str(folder),
            "limits": asdict(limits),
            "readable": list(readable),
            "allowed": list(place.allowed),
        }
        wire.send(self.keeper, request, timeout=wire.PATIENCE)
        self.control = ours
        self.work = self._await_work_folder()
        self._ear = threading.Thread(target=self._hear_keeper, daemon=True)
        self._ear.start()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _await_work_folder(self) -> int:
        self.control.settimeout(wire.PATIENCE)
        try:
            _, fds, _, _ = socket.recv_fds(self.control, 1, 1)
        except OSError:
            fds = []
        self.control.settimeout(None)
        if not fds:
            with contextlib.suppress(OSError, wire.WireError):
                raise SandboxBroken(
                    wire.receive(self.keeper, timeout=1).get("broken", "the sandbox did not start")
                )
            raise SandboxBroken("the sandbox did not start")
        return fds[0]

    @property
    def alive(self) -> bool:
        """Whether it takes orders. One whose keeper has said that it ends it does not, though it is still ending."""
        return not self._gone.is_set() and not self.killed

    def reason(self) -> str:
        """Why the keeper has ended the sandbox, "" if it has not. It says so first, and then ends processes.

        So once it has answered another question, nothing that it said before is still on its way.
        """
        self.peak_mb()
        return self.killed

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a learner's process sees of the world: nothing of ours."""
        path = [
            os.path.dirname(sys.executable),
            "/usr/local/bin",
            "/usr/bin",
            "/bin",
            "/usr/local/sbin",
            "/usr/sbin",
        ]
        return {
            "PATH": ":".join(path),
            "HOME": str(self.box / "home"),
            "TMPDIR": str(self.box / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "SSL_CERT_FILE": AUTHORITY,
            "PREFECT_API_SSL_CERT_FILE": AUTHORITY,
            **self.variables,
            **(extra or {}),
        }

    def spawn(
        self,
        kind: str,
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        listener: socket.socket | None = None,
        **order: Any,
    ) -> Running:
        """Start one process. `stdin` is a descriptor that this call takes over; without it the process reads nothing.

        Raises:
            SandboxBroken: the sandbox is gone or did not answer.
        """
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        stdin = os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin
        fds = [stdin, out_write, err_write]
        ours: socket.socket | None = None
        theirs: socket.socket | None = None
        if kind in ("call", "serve"):
            ours, theirs = socket.socketpair()
            fds.append(theirs.fileno())
        if listener is not None:
            fds.append(listener.fileno())
        with self._lock:
            self._next += 1
            name = self._next
        running = Running(self, name, out_read, err_read, ours)
        self._running[name] = running
        try:
            self.order(
                {"spawn": name, "kind": kind, "env": self.environment(env), "ports": self.ports, **order}, fds
            )
        finally:
            for fd in (stdin, out_write, err_write):
                os.close(fd)
            if theirs is not None:
                theirs.close()
        with self._news:
            self._news.wait_for(lambda: name in self._started or self._gone.is_set(), timeout=wire.PATIENCE)
            report = self._started.pop(name, None)
        if report is None:
            raise SandboxBroken(self.killed or "the sandbox ended before the process started")
        running.trouble = report["trouble"]
        self.layers = report["layers"]
        return running

    def reach(self, port: int, variables: Mapping[str, str]) -> None:
        """Let what is spawned from now on reach this port of our 127.0.0.1, as the same port of its own.

        Where the sandbox has no network of its own, processes get the right to connect to just this port.
        """
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self.order({"listen": port}, [theirs.fileno()])
            ours.settimeout(wire.PATIENCE)
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        if fds:
            relay(socket.socket(fileno=fds[0]), port)
        self.ports.append(port)
        self.variables.update(variables)

    def order(self, message: dict[str, Any], fds: list[int] | None = None) -> None:
        with self._lock:
            try:
                socket.send_fds(self.control, [b"O"], fds or [])
                wire.send(self.control, message, timeout=None)
            except OSError:
                self._gone.set()

    def _listen(self) -> None:
        """Hear the caretaker: who started, who ended."""
        while True:
            try:
                news = wire.receive(self.control)
            except (OSError, wire.WireError):
                break
            with self._news:
                if "started" in news:
                    self._started[news["started"]] = news
                elif (running := self._running.get(news["ended"])) is not None:
                    running.status, running.cpu, running.ended_at = (
                        news["status"],
                        news["cpu"],
                        time.monotonic(),
                    )
                    running.ended.set()
                self._news.notify_all()
        self._ear.join(
            10
        )  # the keeper says why before it ends the caretaker; on a busy machine we hear it later
        self._end_all()

    def _hear_keeper(self) -> None:
        """Hear the keeper: which limit was hit, or how much memory was used."""
        while True:
            try:
                news = wire.receive(self.keeper)
            except (OSError, wire.WireError):
                break
            with self._news:
                if "killed" in news:
                    self.killed = news["killed"]
                    self.out_of_time |= self.killed == "time"
                self._peak = news["peak_mb"]
                self._news.notify_all()
        self._end_all()

    def _end_all(self) -> None:
        with self._news:
            self._gone.set()
            for running in self._running.values():
                if running.alive:
                    running.killed = running.killed or self.killed
                    running.status, running.ended_at = -signal.SIGKILL, time.monotonic()
                    running.ended.set()
            self._news.notify_all()

    _peak: float | None = None

    def peak_mb(self, set_limit: float | None = None) -> float:
        """Peak memory over all processes, in MiB. With `set_limit` (0: the lab's own) the peak starts anew."""
        with self._news:
            if not self.alive:
                return self._peak_so_far()
            self._peak = None  # the ear sets it

            def answered() -> bool:
                return self._peak is not None or not self.alive

            question = {"limit_mb": set_limit} if set_limit is not None else {"peak": True}
            with contextlib.suppress(OSError):
                wire.send(self.keeper, question)
            self._news.wait_for(answered, timeout=wire.PATIENCE)
            return self._peak_so_far()

    def _peak_so_far(self) -> float:
        return 0.0 if self._peak is None else self._peak

    def close(self) -> None:
        """End every process. Files are gone with it."""
        for sock in (self.keeper, self.control):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._end_all()
        self._listener.join(5)
        self._ear.join(5)
        with contextlib.suppress(OSError):
            os.close(self.work)
        for running in self._running.values():
            if running.channel is not None:
                running.channel.close()
        self.keeper.close()
        self.control.close()
        with contextlib.suppress(OSError):
            self.box.rmdir()
