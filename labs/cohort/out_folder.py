"""The folder that a cohort's marks are written to: private, of one command at a time, its troubles told in words."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from labs.errors import LabsError

STORE = "results.sqlite"
LOCK = ".lock"
OURS = (
    STORE, LOCK, "gradebook.", "labs.", "checks.", "cohort.html", "marks-by-a-person.csv", "learners", "exports",
    "unpacked", "clones",
)  # fmt: skip
FULL = (errno.ENOSPC, errno.EDQUOT)
ELSEWHERE = "Give another folder with --out."


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Make the folder, and have it alone. The lock is the process's: it is gone when that is killed.

    Raises:
        LabsError: another command has it, it cannot be made or written, or the disk is full; in here, or in what is
            done meanwhile.
    """
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if all(one.name.startswith(OURS) for one in out.iterdir()):
            out.chmod(0o700)  # what holds other things as well keeps its mode; what we put in is private
        handle = os.open(out / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(handle, out)
            yield
        finally:
            os.close(handle)
    except OSError as error:
        if not _is_of(error, out):
            raise
        raise plainly(error, out) from error


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
        raise LabsError(
            f"{out}: another `labs grade` writes there ({who}).",
            "Wait until it has ended, or give another folder with --out.",
        ) from None
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}, since {now}".encode(), 0)


def private(out: Path, written: Iterable[Path]) -> None:
    """Nobody else may look into the folders of what was written below `out`, nor read it."""
    folders = {folder for path in written for folder in path.parents if out in folder.parents}
    for folder in folders:
        folder.chmod(0o700)
    for path in written:
        path.chmod(0o600)


def plainly(error: OSError, out: Path) -> LabsError:
    """What a failed file operation below `out` means."""
    where = error.filename or out
    if error.errno in FULL:
        return full(where)
    if error.errno == errno.EROFS:
        return LabsError(f"{where}: the disk is read-only.", ELSEWHERE)
    if error.errno in (errno.EACCES, errno.EPERM):
        return LabsError(f"{where}: you may not write there.", ELSEWHERE)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return LabsError(f"--out {out}: a file is there, or on the way to it, and no folder.", ELSEWHERE)
    return LabsError(f"{where}: cannot be used ({error.strerror or error}).", ELSEWHERE)


def full(where: object) -> LabsError:
    return LabsError(
        f"{where}: the disk is full.", "Free some space, then give the same command: what was graded is kept."
    )


def _is_of(error: OSError, out: Path) -> bool:
    """Whether it is about `out` or what is in it; a full disk says nothing of where."""
    if error.filename is None:
        return error.errno in FULL
    where = Path(os.fsdecode(error.filename)).absolute()
    return where.is_relative_to(out.absolute()) or where in out.absolute().parents
