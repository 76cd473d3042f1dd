"""Reading what a learner left: bounded, regular files only, no link followed, nothing executed, nothing unpickled.

Every path is walked one part at a time from an open directory with O_NOFOLLOW, so a link anywhere in it, also one
that appears while we look, is refused by the kernel. FIFOs and devices never block: O_NONBLOCK, then `fstat` must
say regular.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_FILE = 64 * 2**20
MAX_SUBMISSION = 200 * 2**20
MAX_FILES = 5_000
MAX_DEPTH = 24
LEFT_OUT = {
    ".git", "__pycache__", ".venv", "venv", "node_modules", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store",
    ".ipynb_checkpoints",
}  # fmt: skip


class Unreadable(Exception):
    """The file is there, or something is, and we do not read it. The message says why, in the learner's terms."""


def read_file(root: int, path: str, limit: int = MAX_FILE) -> bytes | None:
    """The bytes of one regular file below the open directory `root`; None when there is none.

    Raises:
        Unreadable: a link, FIFO, device or folder, a path that leaves the folder, or a file above `limit` bytes.
    """
    parts = _parts(path)
    with contextlib.ExitStack() as stack:
        try:
            folder = _descend(stack, root, parts[:-1])
            fd = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreadable(_why_not(path, root, parts, error)) from None
        stack.callback(os.close, fd)
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise Unreadable(f"`{path}` is {_kind(info.st_mode)}, not a file")
        if info.st_size > limit:
            raise Unreadable(f"`{path}` has {info.st_size:,} bytes; at most {limit:,} are read")
        return _read_all(fd, limit)


def write_file(root: int, path: str, data: bytes, mode: int = 0o644) -> None:
    """Write one file below the open directory `root`, making folders, following no link.

    Raises:
        Unreadable: something that is no folder or no file stands in the way.
    """
    parts = _parts(path)
    with contextlib.ExitStack() as stack:
        try:
            folder = _descend(stack, root, parts[:-1], make=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(parts[-1], flags, mode, dir_fd=folder)
        except OSError as error:
            raise Unreadable(_why_not(path, root, parts, error)) from None
        stack.callback(os.close, fd)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]


def list_files(root: int) -> list[str]:
    """Sorted relative paths of the regular files below the open directory `root` (at most MAX_FILES)."""
    return sorted(path for path, kind in _walk(root) if kind == "a file")[:MAX_FILES]


def stage(source: Path, target: Path) -> list[str]:
    """Copy a learner's folder for grading. Returns notes, in the learner's terms, on what was left out and why.

    The copy holds plain files only and is bounded in files, bytes and depth. The source is only read; a link to a
    folder is none.
    """
    notes: list[str] = []
    target.mkdir(parents=True, exist_ok=True)
    try:
        root = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if source.is_symlink():
            return ["your folder is a link; links are not followed."]
        return [f"your folder cannot be read ({error.strerror})."]
    total = count = 0
    try:
        for path, kind in _walk(root):
            if kind != "a file":
                notes.append(f"`{path}` is {kind}: left out. Hand in plain files.")
                continue
            count += 1
            if count > MAX_FILES:
                notes.append(f"more than {MAX_FILES:,} files: the rest was left out.")
                break
            try:
                data = read_file(root, path)
            except Unreadable as error:
                notes.append(f"{error}: left out.")
                continue
            if data is None:
                continue
            total += len(data)
            if total > MAX_SUBMISSION:
                notes.append(f"more than {MAX_SUBMISSION // 2**20} MiB of files: the rest was left out.")
                break
            _copy(root, path, data, target)
    finally:
        os.close(root)
    return notes[:20]


def _copy(root: int, path: str, data: bytes, target: Path) -> None:
    copy = target / path
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(data)
    with contextlib.suppress(OSError):
        mode = os.stat(path, dir_fd=root, follow_symlinks=False).st_mode
        copy.chmod(0o755 if mode & 0o111 else 0o644)


def _walk(root: int, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        yield prefix.rstrip("/"), "nested too deeply"
        return
    try:
        with os.scandir(root) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield prefix.rstrip("/"), "a folder that cannot be read"
        return
    for entry in found:
        if entry.name in LEFT_OUT:
            continue
        path = prefix + entry.name
        try:
            path.encode()
            mode = os.stat(entry.name, dir_fd=root, follow_symlinks=False).st_mode
        except (OSError, UnicodeEncodeError):
            continue
        if stat.S_ISDIR(mode):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                child = os.open(entry.name, flags, dir_fd=root)
            except OSError:
                yield path, "a folder that cannot be read"
                continue
            try:
                yield from _walk(child, path + "/", depth + 1)
            finally:
                os.close(child)
        else:
            yield path, _kind(mode)


def _parts(path: str) -> tuple[str, ...]:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in path:
        raise Unreadable(f"`{path}` is not a path inside the work folder")
    return pure.parts


def _descend(stack: contextlib.ExitStack, root: int, parts: tuple[str, ...], make: bool = False) -> int:
    folder = root
    for part in parts:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=folder)
        folder = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        stack.callback(os.close, folder)
    return folder


def _read_all(fd: int, limit: int) -> bytes:
    chunks, total = [], 0
    while chunk := os.read(fd, 2**20):
        total += len(chunk)
        if total > limit:
            raise Unreadable("the file grew while it was read")
        chunks.append(chunk)
    return b"".join(chunks)


def _why_not(path: str, root: int, parts: tuple[str, ...], error: OSError) -> str:
    for depth in range(1, len(parts) + 1):
        part = "/".join(parts[:depth])
        with contextlib.suppress(OSError):
            mode = os.stat(part, dir_fd=root, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                return f"`{part}` is a link; links are not followed"
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                return f"`{part}` is {_kind(mode)}, not a file"
    return f"`{path}` cannot be read ({error.strerror})"


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISREG, "a file"),
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for test, name in kinds if test(mode)), "a device")
