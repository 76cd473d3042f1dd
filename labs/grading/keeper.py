"""The keeper of one sandbox: makes the namespaces, watches memory, processes, disk and time, ends everything.

Processes, from the outside in:

    judge (runs the checks) ── warm parent ── keeper ── caretaker (pid 1 inside) ── the learner's processes

The keeper is forked from the warm parent, so it holds nothing of the judge's. It is trusted and unconfined; it never
reads what a learner's process says. When the judge goes away, for whatever reason, so does the sandbox.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs import kernel
from labs.grading import wire
from labs.grading.caretaker import caretake
from labs.grading.confine import HELD, STRANGER_UID, needs_stranger

POLL_SECONDS = 0.03
LONGEST_PAUSE = 0.25  # however slow a look was: what a process holds for a second is seen
SHARED_MEMORY_MB = 64


@dataclass
class Watched:
    """What the watch has seen of the sandbox so far. Megabytes are 2**20 bytes."""

    peak_mb: float = 0.0
    limit_mb: float = 0.0


def keep(conn: socket.socket, request: dict[str, Any], control: socket.socket) -> None:
    """Run one sandbox until the judge closes `conn` or a limit is hit. `control` goes to the caretaker.

    The request: `box` (an empty directory, ours), `folder` (the files to copy into box/work), `limits`, `rules` for the
    children, `allowed` layers.
    """
    if kernel.LINUX:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    box = Path(request["box"])
    stranger = needs_stranger(request["allowed"])
    state = _enter_namespaces(box, request) if "namespaces" in request["allowed"] else "switched off"
    kernel_ok = state == HELD
    try:
        _lay_out(box, Path(request["folder"]))
        if stranger:
            _give_away(box)
    except OSError as error:
        wire.send(conn, {"broken": f"cannot lay out the work folder: {error}"})
        return
    pid = os.fork()
    if pid == 0:
        conn.close()
        os._exit(caretake(control, request, namespaces=state))
    control.close()
    try:
        _watch(conn, pid, request["limits"], None if kernel_ok else box)
    finally:
        _end(pid)
        if not kernel_ok:
            shutil.rmtree(box, ignore_errors=True)


def _enter_namespaces(box: Path, request: dict[str, Any]) -> str:
    """Try a private view of users, processes, network, mounts and IPC. Returns "held" or the reason."""
    flags = (
        kernel.CLONE_NEWPID
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWNS
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
    )
    uid, gid = os.getuid(), os.getgid()
    try:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
        safe = kernel.MS_NOSUID | kernel.MS_NODEV
        kernel.mount("tmpfs", str(box), "tmpfs", safe, f"size={request['limits']['disk_mb']}m,mode=700")
        if os.path.isdir("/dev/shm"):
            kernel.mount("tmpfs", "/dev/shm", "tmpfs", safe | kernel.MS_NOEXEC, f"size={SHARED_MEMORY_MB}m")
        kernel.bring_up_loopback()
    except OSError as error:
        return f"refused: {error.strerror or error}"
    finally:
        kernel.die_with_parent(signal.SIGKILL)  # changing credentials clears it
    return HELD


def _lay_out(box: Path, folder: Path) -> None:
    for name in ("tmp", "home"):
        (box / name).mkdir(exist_ok=True)
    shutil.copytree(folder, box / "work", symlinks=True, dirs_exist_ok=True)


def _give_away(box: Path) -> None:
    """Let the user that the child becomes own the box and reach it, and nothing else of the session."""
    box.parent.chmod(0o711)
    for folder, _, files in os.walk(box):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, STRANGER_UID, STRANGER_UID, follow_symlinks=False)


def _watch(conn: socket.socket, pid: int, limits: dict[str, Any], box: Path | None) -> None:
    """Poll until the judge is gone, the caretaker has ended, or a limit is hit (told to the judge first)."""
    poll = select.poll()
    poll.register(conn, select.POLLIN)
    seen = Watched(limit_mb=limits["memory_mb"])
    deadline = time.monotonic() + limits["wall_seconds"]
    pause, rounds = POLL_SECONDS, 0
    while True:
        if poll.poll(int(pause * 1000)) and not _answer(conn, seen, limits):
            return
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        started = time.monotonic()
        processes, used = _descendants(pid, limits["processes"]), 0.0
        too_many = len(processes) > limits["processes"]
        if not too_many:  # what makes processes makes more of them while their memory is looked at
            used = _used_mb(processes, _resident_mb)
            if used > seen.limit_mb:
                used = _used_mb(processes, _proportional_mb)
            seen.peak_mb = max(seen.peak_mb, used)
        reason = ""
        if too_many:
            reason = "processes"
        elif used > seen.limit_mb:
            reason = "memory"
        elif started > deadline:
            reason = "time"
        elif box and rounds % 10 == 0 and _size_mb(box) > limits["disk_mb"]:
            reason = "disk"
        if reason:
            with contextlib.suppress(
                OSError
            ):  # first the reason, then the end: the judge must not see it unexplained
                wire.send(conn, {"killed": reason, "peak_mb": seen.peak_mb}, timeout=1)
            return
        rounds += 1
        pause = min(max(POLL_SECONDS, 4 * (time.monotonic() - started)), LONGEST_PAUSE)


def _answer(conn: socket.socket, seen: Watched, limits: dict[str, Any]) -> bool:
    """Answer one question of the judge's; False when it has gone."""
    try:
        question = wire.receive(conn, timeout=wire.PATIENCE)
    except (OSError, wire.WireError):
        return False
    if "limit_mb" in question:
        seen.peak_mb, seen.limit_mb = 0.0, question["limit_mb"] or limits["memory_mb"]
    wire.send(conn, {"peak_mb": seen.peak_mb}, timeout=wire.PATIENCE)
    return True


def _descendants(pid: int, most: int | None = None) -> list[int]:
    """Every process below the caretaker, which itself is ours and not counted; no more than one above `most`."""
    if not kernel.LINUX:
        import psutil

        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        return []
    found, frontier = list[int](), [pid]
    while frontier and (most is None or len(found) <= most):
        parent = frontier.pop()
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{parent}/task"):
                children = Path(f"/proc/{parent}/task/{task}/children").read_bytes().split()
                frontier += [int(child) for child in children]
        if parent != pid:
            found.append(parent)
    return found


def _used_mb(processes: list[int], measure: Callable[[int], float]) -> float:
    """Memory of all processes. A fork shares what the warm parent imported, as we do; that is not the learner's."""
    floor = measure(os.getpid()) if processes else 0.0
    total = 0.0
    for pid in processes:
        used = measure(pid)
        total += max(0.0, used - floor) if _is_a_fork(pid) else used
    return total


def _is_a_fork(pid: int) -> bool:
    """Whether it has run no other program since it was forked: its stack and its arguments are where ours are.

    `cmdline` would say it as well, but waits for as long as the process is forking: where many do, for minutes.
    """
    with contextlib.suppress(OSError):
        return _places(Path(f"/proc/{pid}/stat")) == _places(Path("/proc/self/stat"))
    return False


def _places(stat: Path) -> tuple[bytes, bytes]:
    """startstack and arg_start, which each new program gets at random places: fields 28 and 48 of proc_pid_stat(5)."""
    fields = stat.read_bytes().rpartition(b")")[2].split()
    return fields[28 - 3], fields[48 - 3]


def _resident_mb(pid: int) -> float:
    """Anonymous, shared and swapped memory in MiB, cheaply: pages that processes share count for each of them."""
    if not kernel.LINUX:
        import psutil

        with contextlib.suppress(psutil.Error):
            return float(psutil.Process(pid).memory_info().rss) / 2**20
        return 0.0
    return _sum_of(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:", "VmSwap:"))


def _proportional_mb(pid: int) -> float:
    """The same with shared pages divided by their sharers (proc(5)). It walks all page tables: only when it matters."""
    if not kernel.LINUX:
        return _resident_mb(pid)
    return _sum_of(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:", "SwapPss:"))


def _sum_of(path: str, fields: tuple[str, ...]) -> float:
    """The sum in MiB of some `name: number kB` lines of a file; 0 when the process has gone."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(fields)) / 1024


def _size_mb(folder: Path) -> float:
    total, pending = 0, [str(folder)]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total / 2**20


def _end(pid: int) -> None:
    """Kill the caretaker and all below it: in a pid namespace at once, elsewhere again and again until none is left."""
    for _ in range(50):
        for process in (*_descendants(pid), *_descendants(os.getpid())):
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.002)
            continue
        return
