"""The learner's functions on a disk that is slow and looked at: when a file below data/ that others know is opened for
writing, or is taken away, nothing goes on before the reader beside it has read once more.

The check puts this file beside features.py and calls these functions in place of the learner's.
"""

from __future__ import annotations

import builtins
import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READS = Path("grader_reads").absolute()  # grows by a byte for each time that the reader has read
DATA = Path("data").absolute()
PATIENCE = 6.0  # seconds for all pauses of one call together; only a reader that waits for us needs them
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class SlowDisk:
    def __init__(self) -> None:
        self.left = PATIENCE
        self.known = {str(path) for path in DATA.rglob("*") if path.is_file()} if READS.exists() else set()

    def pause(self, path: Any) -> None:
        """Until a whole read has begun and ended; the one that runs now may have begun before."""
        named = isinstance(path, (str, bytes, os.PathLike))
        if not named or os.path.abspath(os.fsdecode(path)) not in self.known or self.left <= 0:
            return
        began, seen = time.monotonic(), READS.stat().st_size
        while READS.stat().st_size < seen + 2 and time.monotonic() - began < self.left:
            time.sleep(0.002)
        self.left -= time.monotonic() - began if READS.stat().st_size < seen + 2 else 0

    def after(self, act: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        def slow(path: Any, *words: Any, **named: Any) -> Any:
            done = act(path, *words, **named)
            if writes(*words, **named):
                self.pause(path)
            return done

        return slow


@contextmanager
def slow_disk() -> Iterator[None]:
    disk = SlowDisk()

    def by_mode(mode: str = "r", *_: Any, **__: Any) -> bool:
        return bool(set("wax+") & set(str(mode)))

    def by_flags(flags: int, *_: Any, **__: Any) -> bool:
        return bool(flags & WRITES)

    def always(*_: Any, **__: Any) -> bool:
        return True

    patched = [(builtins, "open", by_mode), (io, "open", by_mode), (os, "open", by_flags)]
    patched += [(os, name, always) for name in ("remove", "unlink", "rename", "replace", "truncate")]
    kept = [(module, name, getattr(module, name)) for module, name, _ in patched]
    for module, name, writes in patched:
        setattr(module, name, disk.after(getattr(module, name), writes))
    try:
        yield
    finally:
        for module, name, act in kept:
            setattr(module, name, act)


def _slowly(name: str) -> Callable[..., Any]:
    def function(*words: Any) -> Any:
        import features

        with slow_disk():
            return getattr(features, name)(*words)

    return function


apply, push, materialize, rollout, rollback = (
    _slowly(name) for name in ("apply", "push", "materialize", "rollout", "rollback")
)
