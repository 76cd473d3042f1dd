"""`<name>/latest.json`: which version of a model is in use, and which was before.

It is the only object that changes. Two writers who read the same pointer must not both write: the second would wipe out
what the first one did. So a write says which pointer it replaces, and who comes second reads again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from objects import Missing, Objects, Taken

MOST_TRIES = 20  # each lost one means that somebody else got through


class NothingBefore(Exception):
    """The pointer never named another version."""


@dataclass(frozen=True)
class Pointer:
    version: str
    previous: str | None = None

    @staticmethod
    def key(name: str) -> str:
        return f"{name}/latest.json"

    @classmethod
    def parse(cls, text: bytes) -> Pointer:
        said = json.loads(text)
        return cls(said["version"], said.get("previous"))

    @classmethod
    def to(cls, version: str, before: Pointer | None) -> Pointer:
        """A publisher that runs again must not forget what was before its version."""
        if before is None or before.version == version:
            return before or cls(version)
        return cls(version, before.version)

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def back(before: Pointer | None) -> Pointer:
        """
        Raises:
            NothingBefore
        """
        if before is None or before.previous is None:
            raise NothingBefore
        return Pointer(before.previous, before.version)


def move(bucket: Objects, name: str, change: Callable[[Pointer | None], Pointer]) -> Pointer:
    """Replace the pointer by `change` of what it is (None: there is none); returns the new one.

    Raises:
        Taken: others were faster, again and again.
    """
    key = Pointer.key(name)
    for _ in range(MOST_TRIES):
        try:
            found = bucket.get(key)
            before, etag = Pointer.parse(found.content), found.etag
        except Missing:
            before, etag = None, None
        after = change(before)
        if after == before:
            return after
        try:
            bucket.put(key, after.dump(), over=etag)
        except Taken:
            continue
        return after
    raise Taken(key)
