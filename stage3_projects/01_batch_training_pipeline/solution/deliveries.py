"""What the upstream delivers: a folder per date with Parquet parts, and a manifest that is written last."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from settings import UpstreamMissing

BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Delivery:
    """One date's delivery, each part once and proven whole. `digest` names the content of the manifest."""

    day: date
    parts: tuple[Path, ...]
    digest: str


def find(landing: Path, day: date) -> Delivery:
    """The delivery of `day`, as its manifest promises it.

    Raises:
        UpstreamMissing: no manifest yet, or a part is missing or is not the one that the manifest names.
    """
    folder = landing / f"dt={day}"
    try:
        content = (folder / "_MANIFEST.json").read_bytes()
        promised = {part["path"]: part["sha256"] for part in json.loads(content)["parts"]}  # each path once
    except FileNotFoundError:
        raise UpstreamMissing(f"upstream: no manifest for {day}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UpstreamMissing(f"upstream: the manifest of {day} cannot be read ({error})") from error
    for name, wanted in promised.items():
        if _sha256(folder / name) != wanted:
            raise UpstreamMissing(f"upstream: {name} of {day} is not what its manifest says")
    digest = hashlib.sha256(content).hexdigest()
    return Delivery(day, tuple(folder / name for name in sorted(promised)), digest)


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    except FileNotFoundError:
        return "no such file"
    return found.hexdigest()
