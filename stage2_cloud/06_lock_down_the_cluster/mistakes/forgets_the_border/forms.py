"""Secrets, and every form that they take on their way: what is looked for, and what is never printed."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
import zlib
from typing import NamedTuple
from urllib.parse import quote

CHUNK = 1 << 20  # bytes
PART = 8  # so many characters of a secret in a row are never printed
GZIP = b"\x1f\x8b"
BROKEN = (OSError, EOFError, ValueError, RecursionError, zlib.error, tarfile.TarError)


class Find(NamedTuple):
    """Where in a place, and which line of the file of secrets."""

    where: str
    number: int


class Unread(Exception):
    """A place, or a part of it, could not be read. The message is printed."""


def forms(secret: str) -> set[bytes]:
    """How others write it. Base64 has three alignments; what hangs on the neighbours' bits is left out."""
    found = {secret, json.dumps(secret)[1:-1]}
    found |= {one.replace("/", "\\/") for one in found}
    for one in list(found):  # as Go's encoding/json writes them
        for letter in "&<>":
            one = one.replace(letter, f"\\u{ord(letter):04x}")
        found.add(one)
    for safe in ("", "/"):
        encoded = quote(secret, safe=safe)
        parts = encoded.split("%")
        found |= {encoded, "%".join([parts[0], *(one[:2].lower() + one[2:] for one in parts[1:])])}
    plain = secret.encode()
    for before in range(3):
        text = base64.b64encode(bytes(before) + plain).decode()
        first, end = (before * 8 + 5) // 6, (before + len(plain)) * 8 // 6
        found |= {text[first:end], text[first:end].replace("+", "-").replace("/", "_")}
    return {one.encode() for one in found}


class Secrets:
    """What is looked for."""

    def __init__(self, values: dict[int, str]) -> None:
        self._forms = [(number, form) for number, value in values.items() for form in sorted(forms(value))]
        self._overlap = max(len(form) for _, form in self._forms) - 1
        self._unprinted = "\n".join(form.decode() for _, form in self._forms)

    def within(self, data: bytes) -> set[int]:
        return {number for number, form in self._forms if form in data}

    def lines(self, stream: io.BufferedIOBase) -> set[tuple[int, int]]:
        """(line, number of the secret); of what gzip holds, if it is gzip."""
        if stream.peek(2)[:2] == GZIP:  # type: ignore[attr-defined]
            stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]
        found, data, line = set[tuple[int, int]](), b"", 1
        while chunk := stream.read(CHUNK):
            data += chunk
            for number, form in self._forms:
                at = data.find(form)
                while at >= 0:
                    found.add((line + data.count(b"\n", 0, at), number))
                    at = data.find(form, at + 1)
            line += data.count(b"\n")
            data = b""
        return found

    def hide(self, text: str) -> str:
        """On one line, and with stars for every part of a secret."""
        line = "".join(letter if letter.isprintable() else "?" for letter in text)
        starts = (at for at in range(len(line) - PART + 1) if line[at : at + PART] in self._unprinted)
        parts = {at + more for at in starts for more in range(PART)}
        return re.sub("\0+", "***", "".join("\0" if at in parts else letter for at, letter in enumerate(line)))
