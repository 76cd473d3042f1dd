"""Whether something is still what it was: SHA-256 over the files of a folder, and over all that a lab is graded by."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from labs.catalog import Lab

PASSING = (
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".git",
)
ENGINE = Path(__file__).resolve().parent


def lasting(folder: Path) -> Iterator[Path]:
    """Everything below `folder` in a fixed order, without what tools leave behind. Links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.name in PASSING or path.suffix in (".pyc", ".tmp"):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from lasting(path)


def of_folder(folder: Path) -> str:
    """Changes with the names, kinds, modes and bytes of the files."""
    digest = hashlib.sha256()
    _add(digest, folder)
    return digest.hexdigest()


def of_rules(lab: Lab) -> str:
    """Changes when the lab, the engine, the lock, Python or the platform does."""
    digest = hashlib.sha256()
    for about in (platform.python_version(), sys.platform, platform.machine()):
        digest.update(about.encode() + b"\0")
    _add(digest, lab.folder)
    _add(digest, ENGINE)
    lock = ENGINE.parent / "requirements.lock"
    digest.update(lock.read_bytes() if lock.is_file() else b"no lock")
    return digest.hexdigest()


def _add(digest: hashlib._Hash, folder: Path) -> None:
    for path in lasting(folder):
        status = path.lstat()
        name = os.fsencode(path.relative_to(folder).as_posix())
        digest.update(name + f"\0{status.st_mode:o}\0".encode())
        if path.is_symlink():
            digest.update(os.fsencode(path.readlink()))
        elif stat.S_ISREG(status.st_mode):
            digest.update(f"{status.st_size}\0".encode())
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
