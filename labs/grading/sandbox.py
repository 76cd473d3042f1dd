"""The judge's side of one sandbox: start processes in it, talk to them, read what they left, end it all."""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labs.catalog import Limits
from labs.grading import wire
from labs.grading.confine import LAYERS

_numbers = itertools.count(1)
KEEP_OUTPUT = 64 * 2**10  # of each stream: the first and the last half of it


class SandboxBroken(RuntimeError):
    """The engine, not the learner, failed to make or run a sandbox."""


@dataclass(frozen=True)
class Place:
    """Where sandboxes come from: the warm parent's address, a private folder, and which layers to try."""

    warm: str
    session: Path
    allowed: tuple[str, ...] = LAYERS


@dataclass
class Stream:
    """What a process wrote to one stream: all counted, the beginning and the end kept."""

    limit: int
    total: int = 0
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = KEEP_OUTPUT - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        if data:
            self.tail = (self.tail + data)[-KEEP_OUTPUT:]

    def text(self) -> str:
        gap = self.total - len(self.head) - len(self.tail)
        between = f"\n… {gap} bytes left out …\n".encode() if gap > 0 else b""
        return bytes(self.head + between + self.tail).decode("utf-8", "replace")


class Running:
    """One process in the sandbox."""

    def __init__(self, sandbox: Sandbox, name: int, out: int, err: int, channel: socket.socket | None) -> None:
        self.sandbox = sandbox
        self.name = name
        self.channel = channel
        self.status: int | None = None
        self.cpu = 0.0
        self.killed = ""
        self.trouble = ""
        self.started = time.monotonic()
        self.ended_at = 0.0
        self.ended = threading.Event()
        limit = sandbox.limits.output_mb * 2**20
        self.stdout, self.stderr = Stream(limit), Stream(limit)
        self._reader = threading.Thread(target=self._read, args=(out, err), daemon=True)
        self._reader.start()

    def _read(self, out: int, err: int) -> None:
        """Drain both streams into bounded memory, whatever comes; past the limit, end the process."""
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ, self.stdout)
            selector.register(err, selectors.EVENT_READ, self.stderr)
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, 2**16)
                    if data:
                        key.data.add(data)
                        if key.data.total > key.data.limit and not self.killed:
                            self.kill("output")
                    else:
                        selector.unregister(key.fd)
                        os.close(key.fd)

    @property
    def alive(self) -> bool:
        return not self.ended.is_set()

    def signal(self, number: int, group: bool = False) -> None:
        if self.alive:
            self.sandbox.order({"signal": int(number), "to": self.name, "group": group})

    def kill(self, reason: str) -> None:
        self.killed = self.killed or reason
        with contextlib.suppress(OSError, wire.WireError):
            self.signal(signal.SIGKILL, group=True)

    def wait(self, timeout: float) -> bool:
        """True when it has ended within `timeout` seconds and its output has been read to the end, as far as it goes."""
        if not self.ended.wait(timeout):
            return False
        if self.status == -signal.SIGKILL and not self.killed:
            self.sandbox.await_reason(0.5)
            self.killed = self.sandbox.killed
        self._reader.join(0.5)  # a child of its own may hold the stream open: do not wait for that
        return True


class Sandbox:
    """A box of the learner's files and processes. Everything in it ends with `close`."""

    def __init__(self, place: Place, folder: Path, limits: Limits, readable: tuple[str, ...] = ()) -> None:
        self.limits = limits
        self.place = place
        self.layers: dict[str, str] = {}
        self.killed = ""
        self.box = place.session / f"box-{os.getpid()}-{next(_numbers)}"
        self.box.mkdir(mode=0o700)
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
        wire.send(self.keeper, request, timeout=10)
        self.control = ours
        self.work = self._await_work_folder()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._ear = threading.Thread(target=self._hear_keeper, daemon=True)
        self._ear.start()

    def _await_work_folder(self) -> int:
        self.control.settimeout(30)
        try:
            _, fds, _, _ = socket.recv_fds(self.control, 1, 1)
        except OSError:
            fds = []
        self.control.settimeout(None)
        if not fds:
            with contextlib.suppress(OSError, wire.WireError):
                raise SandboxBroken(wire.receive(self.keeper, timeout=1).get("broken", "the sandbox did not start"))
            raise SandboxBroken("the sandbox did not start")
        return fds[0]

    @property
    def alive(self) -> bool:
        return not self._gone.is_set()

    def await_reason(self, timeout: float) -> None:
        """Give the keeper's word on why it ended a process time to arrive."""
        self._gone.wait(timeout)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a learner's process sees of the world: nothing of ours."""
        path = [os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin"]
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
        if kind != "run":
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
            self.order({"spawn": name, "kind": kind, "env": self.environment(env), **order}, fds)
        finally:
            for fd in (stdin, out_write, err_write):
                os.close(fd)
            if theirs is not None:
                theirs.close()
        with self._news:
            self._news.wait_for(lambda: name in self._started or self._gone.is_set(), timeout=30)
            report = self._started.pop(name, None)
        if report is None:
            raise SandboxBroken(self.killed or "the sandbox ended before the process started")
        running.trouble = report["trouble"]
        self.layers = report["layers"]
        return running

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
                    running.status, running.cpu, running.ended_at = news["status"], news["cpu"], time.monotonic()
                    running.ended.set()
                self._news.notify_all()
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
                return self._peak or 0.0
            self._peak = None
            question = {"limit_mb": set_limit} if set_limit is not None else {"peak": True}
            with contextlib.suppress(OSError):
                wire.send(self.keeper, question)
            self._news.wait_for(lambda: self._peak is not None or not self.alive, timeout=5)
            return self._peak or 0.0

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
