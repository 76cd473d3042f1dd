"""What the jobs of a run asked of the actions, for whoever wants to judge it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CacheUse:
    """A cache that a job asked for.

    Args:
        files: the globs of the files whose hash is in the key, where the action itself makes the key.
        paths: absolute globs of what it keeps.
        holds: whether anything that was installed lay there when the job ended.
    """

    action: str
    key: str
    restore_keys: tuple[str, ...] = ()
    files: str = ""
    paths: tuple[str, ...] = ()
    holds: bool = False


@dataclass(frozen=True)
class Checkout:
    """What a job took out of the repository."""

    sha: str
    path: str
    depth: int


@dataclass
class Record:
    """What the jobs of one run asked of the actions, and the artifacts between them."""

    caches: list[CacheUse] = field(default_factory=list)
    checkouts: list[Checkout] = field(default_factory=list)
    artifacts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
