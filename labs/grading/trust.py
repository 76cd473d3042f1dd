"""Which rung this machine has been proven to hold: canaries, flown once per boot, user and engine, and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from labs.grading.canaries import Flight, fly
from labs.grading.sandbox import Place
from labs.results import RUNGS

MEMORY = Path(".labs") / "isolation.json"


def proven(place: Place, root: Path) -> str:
    """The best rung whose promises the canaries confirm on this machine, from memory where it is still the same."""
    key = _key(place.allowed)
    known = _recall(root)
    if known.get("key") == key and known.get("rung") in RUNGS:
        return str(known["rung"])
    flight = fly(place)
    remember(flight, place.allowed, root)
    return flight.trusted


def remember(flight: Flight, allowed: Sequence[str], root: Path) -> None:
    """Keep the outcome in the course's folder; a folder that cannot be written costs only time."""
    if flight.works:
        return
    path = root / MEMORY
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        draft.write_text(json.dumps({"key": _key(allowed), "rung": flight.trusted, "at": time.time()}))
        draft.replace(path)


def lower(first: str, second: str) -> str:
    """The lower of two rungs."""
    return min(first, second, key=RUNGS.index)


def _recall(root: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        known = json.loads((root / MEMORY).read_text())
        if isinstance(known, dict):
            return known
    return {}


def _key(allowed: Sequence[str]) -> str:
    parts = [_boot(), platform.release(), sys.version, str(os.geteuid()), ",".join(allowed), _engine()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/user")
    return platform.node()


@cache
def _engine() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
