"""Lines of gzip'd logs, also of those that were cut short, in memory that does not grow with the log."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 64 * 1024
MAX_LINE_BYTES = 1024 * 1024


class Damaged(Exception):
    """The file does not end as a gzip file ends."""


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of one file, without their newlines. What stands after the last newline is a line too.

    A line longer than MAX_LINE_BYTES comes cut, but still longer than that: the caller can tell.

    Raises:
        OSError: the file cannot be opened.
        Damaged: after the last line that can be read.
    """
    if path.stat().st_size == 0:  # gzip.open would take it for a whole, empty log
        raise Damaged("0 bytes: not even a header")
    damage: Exception | None = None
    tail = b""
    with gzip.open(path) as stream:
        while True:
            try:
                chunk = stream.read1(CHUNK_BYTES)
            except (OSError, EOFError, zlib.error) as error:
                damage = error
                break
            if not chunk:
                break
            if b"\n" in chunk:
                *whole, tail = (tail + chunk).split(b"\n")
                yield from whole
            elif len(tail) <= MAX_LINE_BYTES:
                tail += chunk
    if tail:
        yield tail
    if damage:
        raise Damaged(str(damage)) from damage
