"""Lines of gzip'd logs, also of those that were cut short, in memory that does not grow with the log."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

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
    with gzip.open(path) as stream:
        try:
            for line in stream:
                yield line.removesuffix(b"\n")
        except (OSError, EOFError, zlib.error) as error:
            yield b""  # the torn piece: a bad line
            raise Damaged(str(error)) from error
