"""The cache of the stand-ins for pip and uv: an empty file for each distribution that the real ones would keep."""

from __future__ import annotations

import os
from pathlib import Path

OFF = ("", "0", "false", "no", "off")


def cache_folder(arguments: list[str], kind: str) -> Path | None:
    """Where pip, or uv, keeps what it downloads; None if it is told to keep nothing."""
    option, variable = {
        "pip": ("--no-cache-dir", "PIP_NO_CACHE_DIR"),
        "uv": ("--no-cache", "UV_NO_CACHE"),
    }[kind]
    if option in arguments or os.environ.get(variable, "").lower() not in OFF:
        return None
    told = os.environ.get(f"{kind.upper()}_CACHE_DIR", "")
    for word, after in zip(arguments, [*arguments[1:], ""], strict=False):
        if word == "--cache-dir":
            told = after
        elif word.startswith("--cache-dir="):
            told = word.partition("=")[2]
    return Path(told or Path.home() / ".cache" / kind).expanduser().absolute()


def keep(done: dict[str, str], cache: Path | None) -> list[Path]:
    """Leave a file for each distribution in the cache. Returns what was written."""
    if cache is None:
        return []
    files = [cache / f"{name}-{version}" for name, version in done.items()]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.touch()
    except OSError as error:
        print(f"WARNING: The cache is disabled: {error}")
        return []
    return files
