"""Lines of gzip'd logs, also of those that were cut short, in memory that does not grow with the log."""

from __future__ import annotations

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
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    damage: Exception | None = None
    tail = b""
    with path.open("rb") as file:
        while packed := file.read(CHUNK_BYTES // 16):
            try:
                chunk = unpack.decompress(packed)
            except zlib.error as error:
                damage = error
                break
            if b"\n" in chunk:
                *whole, tail = (tail + chunk).split(b"\n")
                yield from whole
            elif len(tail) <= MAX_LINE_BYTES:
                tail += chunk
            if unpack.eof:
                break
    if tail:
        yield tail
    if damage or not unpack.eof:
        raise Damaged(str(damage))
