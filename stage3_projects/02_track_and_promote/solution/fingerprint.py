"""One number for what a folder holds: not for where it is, nor for when it was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

ADDED_BY_DOWNLOADS = "registered_model_meta"  # MLflow writes this file into a copy of a version


def fingerprint(folder: Path) -> str:
    """SHA-256 of the lines that `sha256sum` would print for the files below `folder`, sorted by path."""
    lines = sorted(
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file() and path.name != ADDED_BY_DOWNLOADS
    )
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in lines).encode()).hexdigest()
