"""Who handed in what: a folder of clones, of `work/` folders or of archives, as learning systems export them.

Names of Moodle, Canvas, Gradescope and Blackboard exports are understood; everything else is one submission for each
entry, called by its name. What cannot be read is a note on that one submission, and the others go on. Nothing that was
handed in is changed: archives are unpacked into a scratch folder.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path

from labs.catalog import Lab
from labs.cohort import layout as layouts
from labs.cohort.archives import (
    ENDINGS,
    EXPORT,
    Limits,
    in_words,
    is_archive,
    printable,
    unpack,
    without_ending,
)
from labs.cohort.names import GRADESCOPE, Who, is_known, of_entry, of_gradescope, slug
from labs.errors import LabsError

NUMBERED = re.compile(r"-\d+(?=\.[^.]*$)")  # Canvas calls a file that was handed in again `app-1.py`


@dataclass(frozen=True)
class Submission:
    """What one learner handed in.

    Attributes:
        learner: unique in the cohort.
        folder, more: where their work may be: the folder itself first, then each archive in it, unpacked.
        at: when the learning system got it, where it says so; `no_offset` if it said so without an offset from UTC.
        late: the system says that it is late, without a time.
        notes: what was left out, and why.
        error: why something of it could not be read.
        system, number: the learning system, and what it calls the learner.
    """

    learner: str
    folder: Path
    name: str = ""
    at: datetime | None = None
    late: bool = False
    notes: tuple[str, ...] = ()
    error: str = ""
    more: tuple[Path, ...] = ()
    system: str = ""
    number: str = ""
    no_offset: bool = False

    def work(self, lab: Lab, only: bool) -> Path | None:
        """Where the work for a lab is: `work/LAB`, `LAB`, or the folder itself if it is graded for one lab alone."""
        return next(iter(layouts.of_lab(self._layout, lab, only)), None)

    def notes_on(self, lab: Lab, only: bool) -> tuple[str, ...]:
        """What to know of this submission and of where it holds the work for a lab."""
        broken = (self.error,) if self.error and self.work(lab, only) else ()
        found = () if self.error and not broken else layouts.notes(self._layout, lab, only)
        return (*self.notes, *broken, *found)

    @cached_property
    def _layout(self) -> layouts.Layout:
        return layouts.Layout((self.folder, *self.more))


def find(source: Path, scratch: Path, zone: tzinfo = UTC) -> list[Submission]:
    """All submissions in `source`, sorted by learner. Archives are unpacked into new folders in `scratch`.

    Args:
        zone: of the times that come without an offset.

    Raises:
        LabsError: there is nothing to grade, or two entries would be the same learner.
    """
    left: Mapping[str, Sequence[tuple[str, str]]] = {}
    if is_archive(source):
        source, left = _opened(source, scratch / ".export")
    if not source.is_dir():
        raise LabsError(
            f"{source}: no such folder or archive.", "Name the folder that holds one entry for each learner."
        )
    about = of_gradescope(source / GRADESCOPE, zone)
    people: dict[str, list[tuple[str, Who]]] = {}
    for name in sorted({one.name for one in source.iterdir()} | set(left) | set(about)):
        if (
            name in layouts.IGNORED
            or name.startswith(".")
            or not (name in about or _is_entry(source / name, left))
        ):
            continue
        for who in about.get(name) or (of_entry(name, (source / name).is_dir(), zone),):
            before = people.setdefault(who.learner.casefold(), [])
            if before and not _are_one(before[0][1], who):
                raise LabsError(
                    f"{source}: `{printable(before[0][0])}` and `{printable(name)}` are both the learner"
                    f" {who.learner}.",
                    "Rename one of the two, or leave it out.",
                )
            before.append((name, who))
    if not people:
        raise LabsError(
            f"{source}: nothing to grade.", "It should hold a folder or an archive for each learner."
        )
    found = [_Gathering(source, scratch, entries, left).submission() for entries in people.values()]
    return sorted(found, key=lambda one: one.learner)


def _opened(archive: Path, inner: Path) -> tuple[Path, dict[str, list[tuple[str, str]]]]:
    """The folder in an export that holds the entries, and what was left out of each entry.

    Raises:
        LabsError: the export cannot be unpacked, or is larger than its bounds.
    """
    shutil.rmtree(inner, ignore_errors=True)
    done = unpack(archive, inner, EXPORT)
    source = inner
    for one in layouts.single_folders(inner):
        if one != inner and (is_known(one.name) or (one / "work").exists() or (one / ".git").exists()):
            break
        if len(list(one.iterdir())) > 1:
            source = one
            break
    above = len(source.relative_to(inner).parts)
    left: dict[str, list[tuple[str, str]]] = {}
    for name, why in done.left_out:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")][above:]
        if parts:
            left.setdefault(parts[0], []).append(("/".join(parts), why))
    return source, left


def _is_entry(path: Path, left: Mapping[str, Sequence[tuple[str, str]]]) -> bool:
    """A folder, an archive, or a file that a learning system named; also one of which everything was left out."""
    if path.is_dir() or is_known(path.name) or any("/" in name for name, _ in left.get(path.name, ())):
        return True
    return path.name.lower().endswith(ENDINGS) and (path.is_file() or path.name in left)


def _are_one(one: Who, other: Who) -> bool:
    """Several files of one learner; Gradescope has one folder for each submission."""
    return one.system not in ("", "gradescope") and (one.system, one.number) == (other.system, other.number)


@dataclass
class _Gathering:
    """Brings together what one learner handed in. `files` and `bytes`: what their archives held so far."""

    source: Path
    scratch: Path
    entries: Sequence[tuple[str, Who]]
    left: Mapping[str, Sequence[tuple[str, str]]]
    files: int = 0
    bytes: int = 0
    roots: list[Path] = field(default_factory=list)
    opened: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def submission(self) -> Submission:
        who = self._last()
        self.own = self.scratch / who.learner
        shutil.rmtree(self.own, ignore_errors=True)
        self.own.mkdir(parents=True)
        for name, each in self.entries:
            if each.at == who.at:
                self._take(self.source / name, each)
            self._mention(name)
        late = any(each.late for _, each in self.entries)
        folder, *more = [*self.roots, *self.opened] if self.roots else [self.own, *self.opened]
        if self.roots and any(self.own.iterdir()):
            more.append(self.own)
        return Submission(
            who.learner, folder, who.name, who.at, late, tuple(self.notes), " ".join(self.errors), tuple(more),
            who.system, who.number, who.no_offset,
        )  # fmt: skip

    def _last(self) -> Who:
        """Of several attempts, which Blackboard alone names, the last counts."""
        last = max((who for _, who in self.entries), key=lambda who: (who.at is not None, who.at))
        earlier = sorted(
            {f"{who.at:%Y-%m-%d %H:%M}" for _, who in self.entries if who.at and who.at != last.at}
        )
        if earlier:
            self.notes.append(f"Earlier attempts ({', '.join(earlier)} UTC) are left out.")
        return last

    def _take(self, entry: Path, who: Who) -> None:
        if entry.is_symlink():
            self.errors.append(f"{printable(entry.name)} is a link: links are not followed.")
        elif entry.is_dir():
            self.roots.append(entry)
            for archive in sorted(one for one in entry.iterdir() if is_archive(one)):
                self._open(archive, archive.name)
        elif is_archive(entry):
            self._open(entry, who.file or entry.name)
        elif entry.is_file():
            name, taken = _called(who, entry.name), {_called(each, other) for other, each in self.entries}
            names = {name} | ({NUMBERED.sub("", name)} - taken if who.system == "canvas" else set())
            try:
                for each in names:
                    shutil.copyfile(entry, _unused(self.own / each))
            except OSError as error:
                self.errors.append(f"{printable(entry.name)}: cannot be read ({error.strerror}).")

    def _open(self, archive: Path, name: str) -> None:
        """Unpack within what is left of the learner's bounds. A part of an archive is no work: it is all or nothing."""
        target, most = _unused(self.own / slug(without_ending(name))), Limits()
        limits = replace(most, files=most.files - self.files, bytes=most.bytes - self.bytes)
        try:
            done = unpack(archive, target, limits)
        except (LabsError, OSError) as error:
            shutil.rmtree(target, ignore_errors=True)
            said = error.message if isinstance(error, LabsError) else f"cannot be read ({error.strerror})."
            self.errors.append(
                said if said.startswith(archive.name) else f"{printable(archive.name)}: {said}"
            )
            return
        self.files, self.bytes = self.files + done.files, self.bytes + done.bytes
        self.notes += done.notes or ([] if done.files else [f"{printable(archive.name)} holds no files."])
        self.opened.append(target)

    def _mention(self, name: str) -> None:
        """What the export's own bounds left out; if that was an archive, nobody knows what was in it."""
        left_out = self.left.get(name, ())
        lost = [one for one in left_out if one[0].lower().endswith(ENDINGS)]
        self.errors += in_words(lost)
        self.notes += in_words([one for one in left_out if one not in lost])


def _called(who: Who, name: str) -> str:
    return slug(who.file or name, keep=".")


def _unused(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
