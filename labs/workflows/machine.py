"""Where commands run. The runner decides what is run; a machine runs it: on this computer, or in a grader's sandbox.

Paths are relative to the machine's folder, with `/`. `root` is that folder as commands see it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

MAX_OUTPUT = 64 * 1024


@dataclass(frozen=True)
class Outcome:
    """A command that has ended. `output` is standard output and standard error together."""

    status: int
    output: str = ""
    timed_out: bool = False


class Machine(Protocol):
    """What the runner needs of a computer."""

    @property
    def root(self) -> str:
        """The absolute path of the machine's folder, as commands see it."""

    def run(self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], timeout: float) -> Outcome:
        """Run one command with exactly this environment; after `timeout` seconds it and its children are killed."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a regular file; None when there is none, or something else in its place."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file, making its folders."""

    def files(self, folder: str) -> list[str]:
        """Sorted paths, relative to `folder`, of the regular files below it, without what is in `.git`."""


class ThisComputer:
    """Runs commands as the user who started the process, with nothing in between. Not for a stranger's workflow."""

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="workflow-")
        self._root = Path(folder or self._temporary.name).resolve()  # type: ignore[union-attr]

    @property
    def root(self) -> str:
        return str(self._root)

    def run(self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], timeout: float) -> Outcome:
        folder = self._root / cwd
        if not folder.is_dir():
            return Outcome(1, f"there is no folder {cwd}\n")
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Outcome(127, f"{argv[0]}: {error.strerror}\n")
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Outcome(-signal.SIGKILL, _text(output), timed_out=True)
        return Outcome(process.returncode, _text(output))

    def read(self, path: str) -> bytes | None:
        target = self._root / path
        return target.read_bytes() if target.is_file() and not target.is_symlink() else None

    def write(self, path: str, data: bytes) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def files(self, folder: str) -> list[str]:
        top = self._root / folder
        found = []
        for where, folders, names in os.walk(top):
            folders[:] = [name for name in folders if name != ".git"]
            paths = (Path(where, name) for name in names)
            found += [p.relative_to(top).as_posix() for p in paths if p.is_file() and not p.is_symlink()]
        return sorted(found)

    def close(self) -> None:
        """Remove the folder, if it was made for this machine."""
        if self._temporary is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._temporary.cleanup()


def _text(output: bytes) -> str:
    return output[-MAX_OUTPUT:].decode("utf-8", "replace")


def inside(folder: str, path: str) -> str:
    """`path` below `folder`, both relative to the machine; "" if it leaves the folder."""
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in (".", "/"):
            parts.append(part)
    return "/".join((folder, *parts)) if parts else folder
