"""Real programs on this machine, also where a distribution keeps them off the PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ALERTMANAGER = ("alertmanager", "prometheus-alertmanager")  # the second is Debian's name for it
POSTGRES = Path("/usr/lib/postgresql")


def program(name: str) -> str:
    """The full path of a program; "" if it is not there."""
    versions = sorted(POSTGRES.glob("*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True)
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", *map(str, versions)]
    return shutil.which(name, path=os.pathsep.join(places)) or ""


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0
