"""Unpacking what a stranger packed: zip and tar, bounded, plain files only, nothing outside of the folder.

Nothing here trusts what an archive says of itself: not names, not sizes, not types. Python's own `extractall` is not
used: it follows what an archive says about links and modes, and has no bound on size.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, cast

from labs.errors import LabsError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
CHUNK = 1 << 20
RUBBISH = {"__MACOSX", ".DS_Store", "__pycache__", "Thumbs.db"}
SHOWN_NOTES = 20


@dataclass(frozen=True)
class Limits:
    """Of one archive, unpacked. The defaults are those of one learner."""

    files: int = 20_000
    bytes: int = 512 * 2**20
    file_bytes: int = 64 * 2**20
    name: int = 1_000
    depth: int = 32


# Of the archive that holds everybody: in it, a learner's own archive is one file.
EXPORT = Limits(files=1_000_000, bytes=32 * 2**30, file_bytes=512 * 2**20)


@dataclass
class Unpacked:
    """What came of an archive. `left_out`: names as they stand in it, and why."""

    files: int = 0
    bytes: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        return in_words(self.left_out)


def in_words(left_out: Sequence[tuple[str, str]]) -> list[str]:
    """What was left out, in sentences; not more than a person reads."""
    notes = [f"`{printable(name)}` {why}: left out." for name, why in left_out[:SHOWN_NOTES]]
    return [*notes, "… and more."] if len(left_out) > SHOWN_NOTES else notes


@dataclass(frozen=True)
class Entry:
    name: str
    kind: str  # "" for a plain file
    executable: bool
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """By its name. A link is none: it may lead to somebody else's."""
    return path.name.lower().endswith(ENDINGS) and path.is_file() and not path.is_symlink()


def without_ending(name: str) -> str:
    ending = next((one for one in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(one)), "")
    return name[: len(name) - len(ending)] if ending else name


def unpack(archive: Path, target: Path, limits: Limits | None = None) -> Unpacked:
    """Unpack into the new folder `target`.

    Raises:
        LabsError: it is no archive, it is damaged or encrypted, or it is larger than the limits. What had been
            unpacked by then is in `target`.
    """
    limits = limits or Limits()
    done = Unpacked()
    target.mkdir(parents=True)
    seen: dict[str, str] = {}
    try:
        for entry in _entries(archive):
            if entry.kind == "a folder":
                continue
            if done.files + len(done.left_out) >= limits.files:
                raise _too_much(archive, f"more than {limits.files:,} files")
            path = _safe(entry, limits, done)
            if path is None:
                continue
            key = unicodedata.normalize("NFC", path).casefold()
            if key in seen:
                same = seen[key] == path
                why = "is there twice" if same else f"differs from `{printable(seen[key])}` only in case"
                done.left_out.append((path, f"{why}; the first counts"))
                continue
            done.files += 1
            if _write(archive, entry, target, path, limits, done):
                seen[key] = path
    except LabsError:
        raise
    except Exception as error:  # whatever zipfile, tarfile and their decompressors say of broken bytes
        raise LabsError(f"{archive.name}: cannot be unpacked ({_plainly(error)}).", AGAIN) from error
    return done


AGAIN = "Open it yourself, or ask for it once more."


def _entries(archive: Path) -> Iterator[Entry]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                mode = info.external_attr >> 16
                kind = "a folder" if _is_zip_folder(info) else _zip_kind(mode)
                yield Entry(info.filename, kind, bool(mode & 0o100), partial(packed.open, info))
        return
    with (
        DECOMPRESS[_magic(archive)](archive) as stream,
        tarfile.open(fileobj=stream, mode="r|") as packed_tar,
    ):
        for member in packed_tar:
            kind = "" if member.isreg() else "a folder" if member.isdir() else _tar_kind(member)
            yield Entry(
                member.name,
                kind,
                bool(member.mode & 0o100),
                partial(packed_tar.extractfile, member),
            )

        while stream.read(CHUNK):  # to its end, where the checksum is; padding is all that may be there
            pass


def _magic(archive: Path) -> bytes:
    with archive.open("rb") as start:
        return next(
            (
                magic
                for magic in DECOMPRESS
                if magic and start.seek(0) == 0 and start.read(6).startswith(magic)
            ),
            b"",
        )


def _plain(archive: Path) -> IO[bytes]:
    return archive.open("rb")


# What a file begins with, whatever it is called. Unlike tarfile's own streams these check what they unpack.
DECOMPRESS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": cast(Callable[[Path], IO[bytes]], gzip.open),
    b"BZh": cast(Callable[[Path], IO[bytes]], bz2.open),
    b"\xfd7zXZ\x00": cast(Callable[[Path], IO[bytes]], lzma.open),
    b"": _plain,
}


def _is_zip_folder(info: zipfile.ZipInfo) -> bool:
    """Windows writes `work\\` where the format says `work/`, or says it in the attributes alone."""
    return info.filename.endswith(("/", "\\")) or bool(info.external_attr & 0x10 and not info.file_size)


def _zip_kind(mode: int) -> str:
    return "is a link" if mode & 0o170000 == 0o120000 else ""


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "is a link"
    return "is a FIFO" if member.isfifo() else "is a device" if member.isdev() else "is no plain file"


def _safe(entry: Entry, limits: Limits, done: Unpacked) -> str | None:
    """The path to write to, with slashes; None, and a note, where there is none."""
    name = entry.name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if RUBBISH & set(parts):
        return None
    why = entry.kind
    if not parts or ".." in parts or name.startswith("/") or parts[0][1:2] == ":":
        why = "leads out of its folder"
    elif any(unicodedata.category(character).startswith("C") for character in name):
        why = "has a name with control characters"
    elif (
        len(name.encode("utf-8", "replace")) > limits.name
        or max(len(part.encode("utf-8", "replace")) for part in parts) > 255
    ):
        why = "has a name that is too long"
    elif len(parts) > limits.depth:
        why = f"lies deeper than {limits.depth} folders"
    if why:
        done.left_out.append((entry.name, why))
        return None
    return "/".join(parts)


def _write(archive: Path, entry: Entry, target: Path, path: str, limits: Limits, done: Unpacked) -> bool:
    """Write one file by counting what really comes. False, and a note, if it cannot be there."""
    place = target / path
    source = entry.open()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(exist_ok=False)
    except (FileExistsError, NotADirectoryError):
        done.left_out.append((path, "is a file here and a folder there"))
        return False
    if source is None:
        return True
    size = 0
    with place.open("wb") as out, source:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            done.bytes += len(chunk)
            if size > limits.file_bytes or done.bytes > limits.bytes:
                break
            out.write(chunk)
    if done.bytes > limits.bytes:
        raise _too_much(archive, f"more than {limits.bytes // 2**20} MiB")
    if size > limits.file_bytes:
        place.unlink()
        done.left_out.append((path, f"is larger than {limits.file_bytes // 2**20} MiB"))
        return False
    if entry.executable:
        os.chmod(place, 0o755)
    return True


def _too_much(archive: Path, what: str) -> LabsError:
    return LabsError(
        f"{archive.name}: holds {what}; the rest was not unpacked.",
        "Ask for the work alone, without data; of a whole export, unpack it yourself and give the folder.",
    )


def _plainly(error: BaseException) -> str:
    if isinstance(error, RuntimeError) and "password" in str(error):
        return "it is encrypted"
    if isinstance(error, zipfile.BadZipFile) and "not a zip file" in str(error):
        return "it is cut short, or no zip"
    return printable(str(error)) or type(error).__name__


def printable(text: str) -> str:
    """Without what a terminal or a page would obey."""
    return "".join("?" if unicodedata.category(one).startswith("C") else one for one in text)[:200]
