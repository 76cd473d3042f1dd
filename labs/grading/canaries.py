"""Small attacks, run through the real sandbox, to find out what it stops. `labs doctor` shows the outcome.

Listing a kernel's features says what could hold. Each canary does one harmful thing, in small, and the outside looks
whether it happened. An attack that gets through lowers what the machine is trusted with, whatever was configured.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labs.catalog import Limits
from labs.grading.confine import rung
from labs.grading.evidence import Mismatch
from labs.grading.handle import Work
from labs.grading.sandbox import Place, SandboxBroken
from labs.results import RUNGS, Isolation

LIMITS = Limits(memory_mb=256, cpu_seconds=20, wall_seconds=20, processes=16, disk_mb=32, output_mb=1)


@dataclass(frozen=True)
class Canary:
    """One attack. `harm` is what it would mean; `least` is the lowest rung that promises to stop it."""

    name: str
    harm: str
    least: str
    stopped: bool
    how: str


@dataclass(frozen=True)
class Flight:
    """All canaries of one run. `works` is empty, or says why honest work fails: then nothing is proven."""

    isolation: Isolation
    canaries: tuple[Canary, ...]
    works: str = ""

    @property
    def trusted(self) -> str:
        """The best rung of which every promise was kept."""
        reached = RUNGS[1 : RUNGS.index(self.isolation.rung) + 1] if not self.works else ()
        for name in reversed(reached):
            if all(c.stopped for c in self.canaries if RUNGS.index(c.least) <= RUNGS.index(name)):
                return name
        return "open"


def fly(place: Place) -> Flight:
    """Run every canary, each in a sandbox of its own from `place`. Takes a few seconds."""
    folder = place.session / "canaries"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("attacks.py"), folder / "attacks.py")
    with _bait(place.session) as bait, ThreadPoolExecutor(4) as pool:
        works, layers = _honest(place, folder)
        futures = [pool.submit(_fly_one, place, folder, bait, attack) for attack in _attacks(bait)]
        canaries = tuple(future.result() for future in futures)
    return Flight(Isolation(rung(layers), layers), canaries, works)


def _honest(place: Place, folder: Path) -> tuple[str, dict[str, str]]:
    work = Work(place, folder, folder, LIMITS, ("attacks.py",))
    try:
        done, how = _try(work, "honest_work", work.give("given.txt", "2"))
        return (how if done else ""), work.layers
    finally:
        work.close()


def _fly_one(place: Place, folder: Path, bait: _Bait, attack: tuple[str, str, str, str, object]) -> Canary:
    name, harm, least, function, argument = attack
    work = Work(place, folder, folder, LIMITS, ("attacks.py",))
    try:
        stopped, how = _try(work, function, argument)
    finally:
        work.close()
    if function == "leave_daemon":
        stopped, how = not _alive(bait.mark), "ended with the check"
    return Canary(name, harm, least, stopped, how)


@dataclass(frozen=True)
class _Bait:
    hidden: Path
    outside: Path
    unix: Path
    abstract: str
    port: int
    pid: int
    mark: str


def _attacks(bait: _Bait) -> Iterator[tuple[str, str, str, str, object]]:
    """Name, what it would mean, the lowest rung that promises to stop it, function, argument."""
    yield (
        "reads a hidden file",
        "it could read checks, solutions, other work",
        "separate user",
        "read_hidden",
        str(bait.hidden),
    )
    yield (
        "writes outside of its folder",
        "it could change results",
        "separate user",
        "write_outside",
        str(bait.outside),
    )
    yield (
        "reads the grader's environment",
        "it could read secrets and seeds",
        "separate user",
        "read_memory",
        bait.pid,
    )
    yield "traces the grader", "it could change the grader", "separate user", "trace", bait.pid
    yield "signals the grader", "it could end the grading", "locked", "send_signal", bait.pid
    yield "reaches the machine's TCP ports", "it could ask for answers", "locked", "reach_tcp", bait.port
    yield "reaches a Unix socket", "it could drive Docker", "locked", "reach_unix", str(bait.unix)
    yield "reaches an abstract socket", "it could talk to others", "locked", "reach_abstract", bait.abstract
    yield "makes a user namespace", "it could attack the kernel", "locked", "new_namespace", None
    yield "leaves a daemon behind", "it could spoil later work", "open", "leave_daemon", bait.mark
    yield "forks without end", "it could stall the machine", "open", "fork_many", 400
    yield "takes all memory", "it could stall the machine", "open", "take_memory", 1024
    yield "takes memory in many processes", "it could stall the machine", "open", "take_memory_together", 800
    yield "fills the disk", "it could stop everything", "open", "fill_disk", 96


def _try(work: Work, function: str, argument: object) -> tuple[bool, str]:
    arguments = () if argument is None else (argument,)
    try:
        answer = work.call(f"attacks.py:{function}", *arguments, timeout=8, may_raise=True)
    except Mismatch as mismatch:
        return True, mismatch.finding.got
    except SandboxBroken as broken:
        return True, str(broken)
    if answer.error is not None:
        return True, f"{answer.error.type}: {answer.error.message}"
    return not answer.value, "had no effect" if not answer.value else "it worked"


@contextmanager
def _bait(session: Path) -> Iterator[_Bait]:
    """Things that an attack must not reach: a secret, a folder, listeners, and this process."""
    folder = Path(tempfile.mkdtemp(prefix="bait-", dir=session))
    hidden = folder / "hidden.txt"
    hidden.write_text("secret")
    hidden.chmod(0o600)
    mark = f"63.{os.getpid()}{time.time_ns() % 1000:03d}"
    abstract = f"labs-{folder.name}-{os.getpid()}"
    with (
        socket.socket() as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as hollow,
    ):
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind(str(folder / "s"))
        unix.listen()
        if os.path.isdir("/proc/self"):
            hollow.bind(b"\0" + abstract.encode())
            hollow.listen()
        try:
            yield _Bait(
                hidden, folder / "outside", folder / "s", abstract, tcp.getsockname()[1], os.getpid(), mark
            )
        finally:
            _end(mark)


def _alive(mark: str) -> bool:
    deadline = time.monotonic() + 2
    while pids := _with(mark):
        if time.monotonic() > deadline:
            return bool(pids)
        time.sleep(0.02)
    return False


def _end(mark: str) -> None:
    for pid in _with(mark):
        os.kill(pid, signal.SIGKILL)


def _with(mark: str) -> list[int]:
    import psutil

    def matches(process: psutil.Process) -> bool:
        try:
            return mark in process.cmdline()
        except psutil.Error:
            return False

    return [process.pid for process in psutil.process_iter() if matches(process)]
