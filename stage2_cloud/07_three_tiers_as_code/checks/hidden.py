"""Finds a secret in a text, whatever it was put into: base64 at any place of a text, hexadecimal, a URL, gzip.

Source: https://www.rfc-editor.org/rfc/rfc4648 (an encoding is no protection).
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote_plus

RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
DEPTH, MOST = 3, 200_000


def holds(text: str, parts: tuple[str, ...]) -> bool:
    """Whether any of the parts is in the text, as it is or encoded (up to three times)."""
    return any(part in one for one in _readings(text, DEPTH) for part in parts)


def _readings(text: str, depth: int) -> Iterator[str]:
    """The text, and everything that can be decoded out of it."""
    yield text
    if depth == 0:
        return
    plain = unquote_plus(text)
    if plain != text:
        yield from _readings(plain, depth - 1)
    for run in {*RUN.findall(text), *RUN.findall("".join(text.split()))}:
        for data in _decoded(run):
            yield from _readings(data.decode("utf-8", "replace")[:MOST], depth - 1)


def _decoded(run: str) -> Iterator[bytes]:
    bare = run.rstrip("=").replace("-", "+").replace("_", "/")
    for start in range(4):  # other letters may stand before it
        piece = bare[start:]
        piece = piece[: len(piece) - (len(piece) % 4 == 1)]
        data = base64.b64decode(piece + "=" * (-len(piece) % 4))
        yield data
        if data[:2] == b"\x1f\x8b":
            try:
                yield zlib.decompressobj(31).decompress(data, MOST)
            except zlib.error:
                continue
    for digits in re.findall(r"(?:[0-9a-fA-F]{2}){8,}", run):
        yield binascii.unhexlify(digits)
