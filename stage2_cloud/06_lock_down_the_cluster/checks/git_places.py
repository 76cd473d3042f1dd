"""Git repositories made without git: loose objects, a pack with deltas, and what refers to them.

Formats: gitformat-pack(5), gitformat-index(5), gitrepository-layout(5); loose objects as in "Git Internals" of Pro Git.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
OFS_DELTA = 6
WHO = "Meera Nair <meera@nukkad.example>"
DATE = 1_796_000_000  # seconds since 1970
CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"


class Repository:
    """Objects and refs. An ID is the digest of its object, in hexadecimal digits."""

    def __init__(self, digest: Callable[[bytes], Any] = hashlib.sha1) -> None:
        self._digest, self._bytes = digest, digest(b"").digest_size
        self.objects: dict[str, tuple[str, bytes]] = {}
        self.refs: dict[str, str] = {}
        self._moment = DATE

    def add(self, kind: str, content: bytes) -> str:
        name = self._digest(b"%s %d\0%s" % (kind.encode(), len(content), content)).hexdigest()
        self.objects[name] = (kind, content)
        return name

    def blob(self, content: bytes | str) -> str:
        return self.add("blob", content.encode() if isinstance(content, str) else content)

    def tree(self, files: Mapping[str, str]) -> str:
        """The tree of {path: id of a blob}, with those below it."""
        below: dict[str, dict[str, str]] = {}
        entries: list[tuple[bytes, bytes, str]] = []  # git sorts a folder as if its name ended with a slash
        for path, name in files.items():
            first, _, rest = path.partition("/")
            if rest:
                below.setdefault(first, {})[rest] = name
            else:
                entries.append((first.encode(), b"100644 " + first.encode(), name))
        for first, rest_of in below.items():
            entries.append((first.encode() + b"/", b"40000 " + first.encode(), self.tree(rest_of)))
        return self.add(
            "tree", b"".join(word + b"\0" + bytes.fromhex(name) for _, word, name in sorted(entries))
        )

    def commit(
        self,
        files: Mapping[str, str],
        parents: Iterable[str] = (),
        message: str = "Work",
        author: str = WHO,
        more: str = "",
    ) -> str:
        self._moment += 600
        lines = [f"tree {self.tree(files)}", *(f"parent {one}" for one in parents)]
        lines += [
            f"{who} {name} {self._moment} +0530" for who, name in (("author", author), ("committer", WHO))
        ]
        return self.add("commit", ("\n".join(lines) + f"\n{more}\n{message}\n").encode())

    def tag(self, target: str, name: str, message: str) -> str:
        text = f"object {target}\ntype commit\ntag {name}\ntagger {WHO} {self._moment} +0530\n\n{message}\n"
        return self.add("tag", text.encode())

    def holders(self, blob: str, path: str) -> set[str]:
        """The commits that have this content at this path."""
        found = set()
        for name, (kind, content) in self.objects.items():
            if kind != "commit":
                continue
            here: str | None = content[5 : 5 + 2 * self._bytes].decode()
            for part in path.split("/"):
                here = self._entry(here, part.encode()) if here else None
            if here == blob:
                found.add(name)
        return found

    def _entry(self, tree: str, wanted: bytes) -> str | None:
        if tree not in self.objects:
            return None
        content, at = self.objects[tree][1], 0
        while at < len(content):
            end = content.index(b"\0", at)
            after = end + 1 + self._bytes
            if content[at:end].partition(b" ")[2] == wanted:
                return content[end + 1 : after].hex()
            at = after
        return None

    def files(
        self,
        packed: Iterable[str] = (),
        deltas: Mapping[str, str] | None = None,
        without: Iterable[str] = (),
        config: str = CONFIG,
    ) -> dict[str, bytes]:
        """The files of the repository. `deltas`: of these packed blobs, the packed blob that each is told by."""
        packed, without = list(packed), set(without)
        found = {
            "HEAD": b"ref: refs/heads/main\n",
            "config": config.encode(),
            "packed-refs": b"# pack-refs with: sorted \n"
            + b"".join(f"{name} {ref}\n".encode() for ref, name in sorted(self.refs.items())),
            "refs/heads/.keep": b"",
        }
        for name, (kind, content) in self.objects.items():
            if name not in packed and name not in without:
                raw = b"%s %d\0%s" % (kind.encode(), len(content), content)
                found[f"objects/{name[:2]}/{name[2:]}"] = zlib.compress(raw, 1)
        if packed:
            pack, index = self._pack(packed, deltas or {})
            title = f"objects/pack/pack-{pack[-self._bytes :].hex()}"
            found |= {f"{title}.pack": pack, f"{title}.idx": index}
        return found

    def _pack(self, names: list[str], deltas: Mapping[str, str]) -> tuple[bytes, bytes]:
        """A pack and its index, both of version 2."""
        names = sorted(names, key=lambda one: one in deltas)  # what deltas are told by comes first
        data, places, sums = b"PACK" + struct.pack(">II", 2, len(names)), dict[str, int](), dict[str, int]()
        for name in names:
            kind, content = self.objects[name]
            places[name] = len(data)
            if name in deltas:
                base = self.objects[deltas[name]][1]
                content = delta(base, content)
                head = _head(OFS_DELTA, len(content)) + _offset(len(data) - places[deltas[name]])
            else:
                head = _head(KINDS[kind], len(content))
            entry = head + zlib.compress(content, 1)
            sums[name] = zlib.crc32(entry)
            data += entry
        data += self._digest(data).digest()
        order = sorted(names)
        fan = [sum(int(name[:2], 16) <= first for name in order) for first in range(256)]
        index = b"\xfftOc" + struct.pack(">I256I", 2, *fan) + b"".join(map(bytes.fromhex, order))
        index += b"".join(struct.pack(">I", sums[name]) for name in order)
        index += b"".join(struct.pack(">I", places[name]) for name in order) + data[-self._bytes :]
        return data, index + self._digest(index).digest()


def _head(kind: int, size: int) -> bytes:
    """Kind and size of an entry: 4 bits of the size, then 7 at a time, the lowest first."""
    first, size = kind << 4 | size & 15, size >> 4
    found = bytearray()
    while size:
        found.append(first | 128)
        first, size = size & 127, size >> 7
    return bytes([*found, first])


def _offset(back: int) -> bytes:
    """How far back the base of a delta lies: 7 bits at a time, the highest first, one less for each further byte."""
    found = [back & 127]
    while back := back >> 7:
        back -= 1
        found.insert(0, back & 127 | 128)
    return bytes(found)


def _size(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def delta(base: bytes, wanted: bytes) -> bytes:
    """Copy what is the same at both ends, and insert what lies between."""
    most = min(len(base), len(wanted))
    start = next((at for at in range(most) if base[at] != wanted[at]), most)
    end = next((at for at in range(most - start) if base[-1 - at] != wanted[-1 - at]), most - start)
    middle = wanted[start : len(wanted) - end]
    found = _size(len(base)) + _size(len(wanted)) + _copy(0, start)
    for at in range(0, len(middle), 127):
        part = middle[at : at + 127]
        found += bytes([len(part)]) + part
    return found + _copy(len(base) - end, end)


def _copy(at: int, size: int) -> bytes:
    """All four bytes of the offset and two of the size: below 64 KiB."""
    return bytes([0x80 | 0x0F | 0x30]) + struct.pack("<IH", at, size) if size else b""
