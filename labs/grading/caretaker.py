"""Pid 1 of a sandbox: starts the learner's processes as it is told, reaps whatever dies, and says so.

It is trusted, confined by nothing but the namespaces, and lives as long as the judge holds the other end of `control`.
Messages, as plain frames (`wire.py`), with file descriptors beside the first byte of a spawn:

    judge → {"spawn": id, "kind": "call" | "serve" | "run" | "python", …} + fds
    caretaker → {"started": id, "layers": {…}, "trouble": why it could not start, if so}
    judge → {"signal": number, "to": id, "group": bool}
    caretaker → {"ended": id, "status": returncode, "cpu": seconds}
    judge → {"listen": port} + a socket, over which a socket comes back that listens on this port of 127.0.0.1 in here
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from typing import Any

from labs import kernel
from labs.grading import wire
from labs.grading.anew import read_the_environment
from labs.grading.confine import HELD, LAYERS, Rules, confine

MAX_FDS = 8


def caretake(control: socket.socket, request: dict[str, Any], namespaces: str) -> int:
    """Serve `control` until it closes. Returns the exit status."""
    if kernel.LINUX:
        kernel.die_with_parent(signal.SIGKILL)
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    if namespaces == HELD:
        namespaces = _own_proc()
    os.setsid()
    inside = _Inside(control, request, namespaces)
    return inside.run()


def _own_proc() -> str:
    """Mount a /proc that shows only this sandbox's processes."""
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    except OSError as error:
        # Docker with namespaces but masked /proc: host pids stay visible, their memory does not (Landlock).
        return HELD if os.getpid() == 1 else f"refused: {error.strerror}"
    return HELD


class _Inside:
    def __init__(self, control: socket.socket, request: dict[str, Any], namespaces: str) -> None:
        self.control = control
        self.request = request
        self.namespaces = namespaces
        self.pids: dict[int, int] = {}
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if kernel.LINUX else _pipe()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)

    def run(self) -> int:
        os.chdir(os.path.join(self.request["box"], "work"))
        work = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        socket.send_fds(self.control, [b"W"], [work])
        os.close(work)
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.wake_read, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self.wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake_read, 4096)
            self._reap()
            if self.control.fileno() in ready and not self._obey():
                return 0

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for name, known in list(self.pids.items()):
                if known == pid:
                    del self.pids[name]
                    code = os.waitstatus_to_exitcode(status)
                    cpu = usage.ru_utime + usage.ru_stime
                    wire.send(
                        self.control, {"ended": name, "status": code, "cpu": cpu}, timeout=wire.PATIENCE
                    )

    def _obey(self) -> bool:
        """Do one thing the judge asks; False when the judge is gone."""
        self.control.settimeout(wire.PATIENCE)
        try:
            head, fds, _, _ = socket.recv_fds(self.control, 1, MAX_FDS)
            if not head:
                return False
            order = wire.receive(self.control, timeout=wire.PATIENCE)
        except (OSError, wire.WireError):
            return False
        if "spawn" in order:
            self._spawn(order, fds)
        elif "listen" in order:
            _listen(order["listen"], socket.socket(fileno=fds[0]))
        elif "signal" in order and order["to"] in self.pids:
            pid = self.pids[order["to"]]
            with contextlib.suppress(OSError):
                (os.killpg if order.get("group") else os.kill)(pid, order["signal"])
        return True

    def _spawn(self, order: dict[str, Any], fds: list[int]) -> None:
        status_read, status_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(status_read)
            self.control.close()
            self._become(order, fds, status_write)
        os.close(status_write)
        for fd in fds:
            os.close(fd)
        with os.fdopen(status_read, "rb") as pipe:
            report = json.loads(pipe.readline() or b"{}")
            trouble = pipe.read(4096).decode(errors="replace")
        name = order["spawn"]
        self.pids[name] = pid
        layers = {"namespaces": self.namespaces, **report}
        wire.send(
            self.control, {"started": name, "layers": layers, "trouble": trouble}, timeout=wire.PATIENCE
        )

    def _become(self, order: dict[str, Any], fds: list[int], status: int) -> None:
        """In the child: take the streams, confine, report the layers, and turn into what was asked. Never returns."""
        code = 70
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
            for fd, stream in zip(fds[:3], (0, 1, 2), strict=True):
                os.dup2(fd, stream)
            if order["kind"] == "serve":
                os.dup2(1, 2)  # one log, in the order in which it was written
            kept = fds[3:]
            for fd in fds[:3]:
                os.close(fd)
            os.environ.clear()
            os.environ.update(order["env"])
            act = _actor(order, kept)
            layers = confine(self._rules(order))
            os.write(status, json.dumps(layers).encode() + b"\n")
            os.set_inheritable(status, False)
            if order["kind"] != "run":
                os.close(status)
                read_the_environment()
            code = act()
        except FileNotFoundError as error:
            os.write(status, f"not found: {error.filename or order.get('argv')}".encode())
            code = 127
        except PermissionError as error:
            os.write(status, f"not executable: {error.filename or order.get('argv')}".encode())
            code = 126
        except OSError as error:
            os.write(status, f"cannot start: {error.strerror}".encode())
            code = 126
        except BaseException:
            with contextlib.suppress(OSError):
                traceback.print_exc()
        finally:
            os._exit(code)

    def _rules(self, order: dict[str, Any]) -> Rules:
        limits = self.request["limits"]
        box = self.request["box"]
        shared = ("/dev/shm",) if self.namespaces == HELD else ()
        return Rules(
            writable=(box, *shared),
            readable=tuple(self.request["readable"]),
            memory_mb=limits["memory_mb"],
            cpu_seconds=limits["cpu_seconds"],
            processes=limits["processes"],
            disk_mb=limits["disk_mb"],
            network=True,
            namespaced=self.namespaces == HELD,
            ports=tuple(order.get("ports", ())),
            allowed=tuple(self.request.get("allowed", LAYERS)),
        )


def _listen(port: int, answer: socket.socket) -> None:
    """Hand over a listening socket, or nothing if the port is taken in here."""
    with answer, socket.socket() as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
            socket.send_fds(answer, [b"L"], [listener.fileno()])
        except OSError:
            return


def _actor(order: dict[str, Any], fds: list[int]) -> Callable[[], int]:
    """What the child will do once it is confined. Imports happen here: afterwards our own source is out of reach."""
    if order["kind"] == "run":
        return lambda: os.execvpe(order["argv"][0], order["argv"], order["env"])
    from labs.grading import worker

    return worker.actor(order, fds)


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
