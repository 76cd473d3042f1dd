"""`<name>/latest.json`: which version of a model is in use, and which was before.

It is the only object that changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from objects import Missing, Objects


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
    """Replace the pointer by `change` of what it is (None: there is none); returns the new one."""
    key = Pointer.key(name)
    try:
        before = Pointer.parse(bucket.get(key).content)
    except Missing:
        before = None
    after = change(before)
    if after != before:
        bucket.s3.put_object(Bucket=bucket.bucket, Key=key, Body=after.dump())
    return after
