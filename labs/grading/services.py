"""What a check's `services` fixture gives: MLflow, Redis and the others for one grading, and nobody else.

They are forked from the warm parent, which has imported their libraries, so they answer sooner than a program would.
They belong to the grading: when the process that started them is gone, so are they. What speaks to a learner's code is
held like a learner's code: it may write its own folder, read libraries, and open no connection.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labs.grading import wire
from labs.grading.anew import read_the_environment
from labs.grading.confine import Rules, confine
from labs.grading.evidence import CouldNotCheck
from labs.grading.handle import Work
from labs.machine import EMBEDDED
from labs.services import Standing, Supervisor
from labs.services.home import TOKEN, Home
from labs.services.keeper import Service, environment, keep, start_program, with_its_keeper
from labs.services.supervisor import find
from labs.services.tiers import Kind, Tier

MEMORY_MB, DISK_MB, CPU_SECONDS, PROCESSES = 2048, 2048, 1200, 64


class Services:
    """The services of one grading."""

    def __init__(
        self, warm: str, folder: Path, tier: str, to_judge: socket.socket, reached: Callable[[str], None]
    ) -> None:
        """`to_judge`: the judge holds its other end. `reached` hears the tier of every service that a check gets."""
        self._warm, self._folder, self._tier, self._reached = warm, folder, tier, reached
        self._keepers: list[Keeper] = []  # held for as long as this process lives, and its forks
        self._to_judge = to_judge

    def up(self, name: str, instance: str = "") -> Running:
        """A service that answers; the same one again in other checks, as long as the grading goes on.

        Another `instance` is another one, and empty. It ends with the process of the check that began it: checks that
        are to find it name that check in `after=`.
        """
        kind = find(name)
        tier = self._tier if kind.best(self._tier) and ours(kind, kind.best(self._tier)) else EMBEDDED
        if not kind.best(tier):
            raise CouldNotCheck(f"no {kind.title} on this machine. {kind.without}")
        launch = self._launch if instance else self._launch_for_all
        supervisor = Supervisor(self._folder / (instance or "shared"), usual_ports=False, launch=launch)
        running = Running(supervisor, supervisor.up(name, tier))
        self._reached(running.tier)
        return running

    def _launch(self, words: list[str], variables: Mapping[str, str], home: Home) -> Keeper:
        conn = socket.socket(socket.AF_UNIX)
        conn.connect(self._warm)
        socket.send_fds(conn, [b"S"], [conn.fileno()])
        wire.send(
            conn, {"role": "service", "words": words, "variables": dict(variables), "log": str(home.log)}, 10
        )
        self._keepers.append(Keeper(conn, wire.receive(conn, 10)["pid"]))
        return self._keepers[-1]

    def _launch_for_all(self, words: list[str], variables: Mapping[str, str], home: Home) -> Keeper:
        """Launched in a fork of the judge, it outlives the fork: what is on its way to the judge is open for as long as
        the judge is there, read or not."""
        keeper = self._launch(words, variables, home)
        socket.send_fds(self._to_judge, [b"K"], [keeper.fileno()])
        return keeper


def ours(kind: Kind, tier: str) -> bool:
    """Whether we start this tier ourselves: no check ever writes into a cluster that somebody has for real work."""
    return bool(kind.tiers[tier].module)


class Running:
    """A service that runs. `variables` is what a client needs: MLFLOW_TRACKING_URI and the like."""

    def __init__(self, supervisor: Supervisor, standing: Standing) -> None:
        self._supervisor, self._standing = supervisor, standing

    @property
    def variables(self) -> Mapping[str, str]:
        return self._standing.variables

    @property
    def url(self) -> str:
        """Its address: the first of its variables."""
        return next(iter(self.variables.values()))

    @property
    def tier(self) -> str:
        return self._standing.running.tier if self._standing.running else EMBEDDED

    @property
    def data(self) -> Path:
        """Where it keeps its data; for reading raw, after it has stopped."""
        return self._standing.home.data

    def give_to(self, work: Work) -> None:
        """Let the learner's processes of this check find it: by the standard variables, at the same address."""
        running = self._standing.running
        if running is None or not running.port:
            raise ValueError(f"{self._standing.kind.title} has no port that a sandbox could reach")
        variables = dict(self.variables)
        if "KUBECONFIG" in variables:  # a file of ours, in a folder that a learner's processes cannot read
            variables["KUBECONFIG"] = work.give("kubeconfig", Path(variables["KUBECONFIG"]))
        work.reach(running.port, variables)

    def stop(self) -> None:
        """End it in good order. Its address and its data stay; `start` brings it back."""
        self._supervisor.down(self._standing.kind.name)

    def kill(self) -> None:
        """End it as a crash would."""
        running = self._standing.running
        if running is not None and running.keeper:
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.keeper, signal.SIGKILL)
            while self._standing.home.running() is not None:
                time.sleep(0.01)

    def start(self) -> None:
        """Start it again, at the same address."""
        tier = self.tier
        self._standing = self._supervisor.up(self._standing.kind.name, tier)


class Keeper:
    """A keeper in a fork of the warm parent. It lives as long as we hold `conn`."""

    def __init__(self, conn: socket.socket, pid: int) -> None:
        self._conn, self.pid = conn, pid

    def fileno(self) -> int:
        return self._conn.fileno()

    def poll(self) -> int | None:
        return 1 if _closed(self._conn) else None


def hold(conn: socket.socket, request: dict[str, Any]) -> int:
    """In a fork of the warm parent: keep one service until the other end of `conn` is closed."""
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.environ.update(request["variables"])
    wire.send(conn, {"pid": os.getpid()}, 10)
    return keep(request["words"], fork_service, lambda: _closed(conn))


def fork_service(tier: Tier, argument: int, token: str, home: Home) -> Service:
    """Run a service of ours in a confined fork; a real program as a program."""
    if not tier.takes_socket or tier.needs:
        return start_program(tier, argument, token, home)
    module = importlib.import_module(f"labs.services.{tier.module}")
    before = with_its_keeper(os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Fork(pid)
    code = 70
    try:
        before()
        os.setpgid(0, 0)
        os.chdir(home.data)
        os.environ.clear()
        os.environ.update(
            {**environment(home), TOKEN: token, "HOME": str(home.data), "TMPDIR": str(home.data)}
        )
        if prepare := getattr(module, "prepare", None):
            prepare(home.data)
        running = home.recorded()
        layers = confine(_rules(home.data, running.port if running else 0))
        print(f"held by: {layers}", flush=True)
        read_the_environment()
        code = module.main([str(argument), str(home.data)])
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()  # into the service's log
    finally:
        sys.stderr.flush()
        os._exit(code)


def _rules(data: Path, port: int) -> Rules:
    """Its own port is the one that it may connect to: some libraries make a socket which they never use."""
    return Rules(
        writable=(str(data),),
        readable=(str(Path(__file__).parent.parent),),
        memory_mb=MEMORY_MB,
        cpu_seconds=CPU_SECONDS,
        processes=PROCESSES,
        disk_mb=DISK_MB,
        network=False,
        namespaced=False,
        ports=(port,),
    )


class Fork:
    """A forked process, as `subprocess.Popen` would show it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + timeout if timeout is not None else None
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a forked service", timeout or 0.0)
            time.sleep(0.01)
        return status


def _closed(conn: socket.socket) -> bool:
    """Whether the other end has gone; it never says anything after the first word."""
    ready = select.select([conn], [], [], 0)[0]
    return bool(ready) and not conn.recv(1, socket.MSG_PEEK)
