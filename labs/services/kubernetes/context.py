"""What one request is allowed and asked to do, apart from the object that it is about."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field

from labs.services.kubernetes.store import Store
from labs.services.kubernetes.users import User

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass
class Context:
    """Attributes:
    now: seconds since 1970, of the server's clock.
    manager: the field manager.
    validation: what to do with unknown fields: Strict, Warn or Ignore.
    force: server-side apply takes fields from their owners.
    via: the subresource that a write to the object itself came through, for the managed fields.
    own: one of the server's own controllers; not held to the rules against escalation.
    warnings: sent as headers, shown by kubectl.
    """

    user: User
    now: float
    manager: str = "unknown"
    dry_run: bool = False
    validation: str = "Warn"
    force: bool = False
    via: str = ""
    own: bool = False
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


class Identities:
    """uids and the ends of generated names. The same history gives the same ones, so that runs can be compared."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._count = 0

    def _draws(self) -> random.Random:
        self._count += 1
        return random.Random(f"{self._store.version}/{self._count}")

    def uid(self) -> str:
        digits = f"{self._draws().getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def suffix(self) -> str:
        return "".join(self._draws().choices(_ALPHABET, k=5))


def template_hash(text: bytes) -> str:
    """Ten letters and digits that stand for a pod template, in the alphabet of Kubernetes."""
    number = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
    letters = ""
    for _ in range(10):
        number, rest = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[rest]
    return letters
