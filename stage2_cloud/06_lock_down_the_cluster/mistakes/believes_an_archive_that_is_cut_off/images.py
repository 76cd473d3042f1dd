"""Every layer and every document of an image's archive, as a stream: nothing is unpacked to disk, no link followed."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forms import BROKEN, CHUNK, GZIP, Find, Secrets, Unread

MOST_JSON = 8 << 20  # bytes of one document of an image


class Ended:
    """A stream that remembers how it ended: the last block of a whole archive is zero (POSIX, ustar)."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.last = stream, b""

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self.last = (self.last + data)[-tarfile.BLOCKSIZE :]
        return data

    def expect_whole(self) -> None:
        """Raises: Unread, it is cut off. What follows the archive is read as well, for gzip's own sum."""
        while self.read(CHUNK):
            pass
        if self.last != bytes(tarfile.BLOCKSIZE):
            raise Unread("it is cut off")


def members(stream: Any) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    """Each member and, for a regular file, its content; one after the other, nothing kept."""
    ended = Ended(stream)
    with tarfile.open(fileobj=ended, mode="r|", bufsize=CHUNK) as archive:  # type: ignore[call-overload]
        for member in archive:
            yield member, archive.extractfile(member) if member.isreg() else None
            archive.members.clear()


def strings(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """(field, text) of all texts in a JSON document, keys among them; an object is a tuple of its pairs."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from strings(one, f"{field}[{place}]")
    elif isinstance(value, tuple):
        for key, one in value:
            below = f"{field}.{key}" if field else key
            yield below, key
            yield from strings(one, below)


def look_in_image(path: Path, secrets: Secrets) -> Iterator[Find]:
    """All layers and documents that the archive holds, whatever its manifest names (OCI image layout, docker save)."""
    unread = []
    with path.open("rb") as file:
        for member, content in members(file):
            if content is None or (Path(member.name).name == "VERSION" and member.size < tarfile.BLOCKSIZE):
                continue
            try:
                if content.peek(1)[:1] in (b"{", b"["):
                    raw = content.read(MOST_JSON + 1)
                    if len(raw) > MOST_JSON:
                        raise Unread("too large a document")
                    for field, text in strings(json.loads(raw, object_pairs_hook=tuple)):
                        found = secrets.within(text.encode(errors="replace"))
                        yield from (Find(f"config {member.name} {field}", number) for number in found)
                else:
                    yield from look_in_layer(member.name, content, secrets)
            except (Unread, *BROKEN) as error:
                unread.append(f"{member.name}: {error}")
    if unread:
        raise Unread("; ".join(unread))


def look_in_layer(name: str, content: Any, secrets: Secrets) -> Iterator[Find]:
    stream = gzip.GzipFile(fileobj=content) if content.peek(2)[:2] == GZIP else content
    for member, file in members(stream):
        here = f"layer {name} {member.name}"
        names = f"{member.name}\n{member.linkname}".encode(errors="replace")
        yield from (Find(f"{here} name", number) for number in secrets.within(names))
        if file is not None:
            yield from (Find(f"{here} line {line}", number) for line, number in secrets.lines(file))
