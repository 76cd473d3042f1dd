"""Remembers what verified, so that an unchanged lab is not graded again. Kept in .labs/verify/<slug>.json."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from labs.catalog import Catalog, Lab
from labs.machine import EMBEDDED
from labs.workspace import write_whole

PASSING = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints")
ENGINE = Path(__file__).resolve().parent.parent


def lasting(folder: Path) -> Iterator[Path]:
    """Everything below `folder` in a fixed order, without what Python and its tools leave behind."""
    for path in sorted(folder.iterdir()):
        if path.name in PASSING or path.suffix in (".pyc", ".tmp"):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from lasting(path)


def fingerprint(lab: Lab) -> str:
    """Changes when the lab, the engine, the lock, Python or the platform does."""
    digest = hashlib.sha256()
    for about in (platform.python_version(), sys.platform, platform.machine()):
        digest.update(about.encode() + b"\0")
    _add_folder(digest, lab.folder)
    _add_folder(digest, ENGINE)
    lock = ENGINE.parent / "requirements.lock"
    digest.update(lock.read_bytes() if lock.is_file() else b"no lock")
    return digest.hexdigest()


def remembers(catalog: Catalog, lab: Lab, tier: str = EMBEDDED) -> bool:
    """Has exactly this verified before?"""
    try:
        body = json.loads(_path(catalog, lab, tier).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(body, dict) and body.get("verified") == fingerprint(lab)


def remember(catalog: Catalog, lab: Lab, mark: str, tier: str = EMBEDDED) -> None:
    """Keep that `mark` verified, unless the lab has changed since. A read-only checkout stays as it is."""
    if fingerprint(lab) != mark:
        return
    path = _path(catalog, lab, tier)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"lab": lab.slug, "verified": mark}))
    except OSError:
        return


def forget(catalog: Catalog, lab: Lab, tier: str = EMBEDDED) -> None:
    try:
        _path(catalog, lab, tier).unlink(missing_ok=True)
    except OSError:
        return


def _path(catalog: Catalog, lab: Lab, tier: str) -> Path:
    name = lab.slug if tier == EMBEDDED else f"{lab.slug}.{tier}"
    return catalog.root / ".labs" / "verify" / f"{name}.json"


def _add_folder(digest: hashlib._Hash, folder: Path) -> None:
    for path in lasting(folder):
        status = path.lstat()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{status.st_mode:o}\0".encode())
        if path.is_symlink():
            digest.update(os.fsencode(path.readlink()))
        elif path.is_file():
            digest.update(f"{status.st_size}\0".encode() + path.read_bytes())
