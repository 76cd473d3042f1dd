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
    ended.expect_whole()


def strings(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """(field, text) of all texts in a JSON document, keys among them."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from strings(one, f"{field}[{place}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            below = f"{field}.{key}" if field else key
            yield below, key
            yield from strings(one, below)


def look_in_image(path: Path, secrets: Secrets) -> Iterator[Find]:
    """The documents, and the file system that a container of the image gets."""
    with tarfile.open(path, "r:") as archive:
        documents = {}
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None and content.peek(1)[:1] in (b"{", b"["):
                documents[member.name] = json.loads(content.read(MOST_JSON))
        if not documents:
            raise Unread("no image")
        for name, document in documents.items():
            for field, text in strings(document):
                found = secrets.within(text.encode(errors="replace"))
                yield from (Find(f"config {name} {field}", number) for number in found)
        for layers in stacks(documents):
            seen: dict[str, list[Find]] = {}
            for name in layers:
                flatten(archive, name, seen, secrets)
            for finds in seen.values():
                yield from finds


def stacks(documents: dict[str, Any]) -> Iterator[list[str]]:
    """The layers of each image, the lowest first."""
    for document in documents.values():
        if isinstance(document, list):
            yield from (one["Layers"] for one in document)
        elif "layers" in document:
            yield ["blobs/" + one["digest"].replace(":", "/") for one in document["layers"]]


def flatten(archive: tarfile.TarFile, name: str, seen: dict[str, list[Find]], secrets: Secrets) -> None:
    """Put a layer on top: what it replaces or removes is gone."""
    content: Any = archive.extractfile(name)
    stream = gzip.GzipFile(fileobj=content) if content.peek(2)[:2] == GZIP else content
    for member, file in members(stream):
        folder, _, last = member.name.rpartition("/")
        if last == ".wh..wh..opq":
            for path in [one for one in seen if one.startswith(f"{folder}/")]:
                del seen[path]
        elif last.startswith(".wh."):
            seen.pop(f"{folder}/{last[4:]}", None)
        here = f"layer {name} {member.name}"
        names = f"{member.name}\n{member.linkname}".encode(errors="replace")
        seen[member.name] = [Find(f"{here} name", number) for number in secrets.within(names)]
        if file is not None:
            seen[member.name] += [Find(f"{here} line {line}", number) for line, number in secrets.lines(file)]


def look_in_layer(name: str, content: Any, secrets: Secrets) -> Iterator[Find]:
    stream = gzip.GzipFile(fileobj=content) if content.peek(2)[:2] == GZIP else content
    for member, file in members(stream):
        here = f"layer {name} {member.name}"
        names = f"{member.name}\n{member.linkname}".encode(errors="replace")
        yield from (Find(f"{here} name", number) for number in secrets.within(names))
        if file is not None:
            yield from (Find(f"{here} line {line}", number) for line, number in secrets.lines(file))
