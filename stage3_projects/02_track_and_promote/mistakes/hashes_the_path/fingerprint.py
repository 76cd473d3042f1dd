"""One number for what a folder holds: not for where it is, nor for when it was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

ADDED_BY_DOWNLOADS = "registered_model_meta"  # MLflow writes this file into a copy of a version


def fingerprint(folder: Path) -> str:
    """SHA-256 of the lines that `sha256sum` would print for the files below `folder`, sorted by path."""
    lines = sorted(
        f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in folder.rglob("*")
        if path.is_file() and path.name != ADDED_BY_DOWNLOADS
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
