"""Who handed in what: a folder of clones, of `work/` folders or of archives, as learning systems export them.

Names of Moodle, Canvas, Gradescope and Blackboard exports are understood; everything else is one submission for each
entry, called by its name. What cannot be read is a note on that one submission, and the others go on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from labs.catalog import Lab
from labs.cohort.archives import ENDINGS, is_archive, printable, unpack
from labs.errors import LabsError

MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_(?P<rest>.*)", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d+_(?P<rest>.+)", re.DOTALL)
BLACKBOARD = re.compile(
    r".+_(?P<id>[^_]+)_attempt_(?P<at>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_(?P<rest>.+)|\.txt)?", re.DOTALL
)
GRADESCOPE = "submission_metadata.yml"
IGNORED = {".DS_Store", "__MACOSX", "Thumbs.db", ".git", GRADESCOPE}
DEEPEST = 4


@dataclass(frozen=True)
class Submission:
    """`learner` is unique in the cohort. `at` is when the learning system got it, where it says so."""

    learner: str
    folder: Path
    name: str = ""
    at: datetime | None = None
    late: bool = False
    notes: tuple[str, ...] = ()
    error: str = ""

    def work(self, lab: Lab, only: bool) -> Path | None:
        """Where the work for a lab is: `work/LAB`, `LAB`, or the folder itself if it is graded for one lab alone."""
        tops = list(_single_folders(self.folder))
        for top in tops:
            for place in (top / "work" / lab.slug, top / lab.slug):
                if place.is_dir() and not place.is_symlink():
                    return place
        for place in sorted(_folders(tops[0], DEEPEST), key=lambda path: (len(path.parts), str(path))):
            if place.name == lab.slug and not _is_ours(place):
                return place
        if only:
            return next((top for top in tops if any((top / name).exists() for name in lab.files)), None)
        return None


def find(source: Path, scratch: Path) -> list[Submission]:
    """All submissions in `source`, sorted by learner. Archives are unpacked into new folders in `scratch`.

    Raises:
        LabsError: there is nothing to grade.
    """
    if is_archive(source):
        inner = scratch / "export"
        shutil.rmtree(inner, ignore_errors=True)
        unpack(source, inner)
        source = next((one for one in _single_folders(inner) if len(list(one.iterdir())) > 1), inner)
    if not source.is_dir():
        raise LabsError(
            f"{source}: no such folder or archive.", "Name the folder that holds one entry for each learner."
        )
    found: dict[str, Submission] = {}
    about = _gradescope(source / GRADESCOPE)
    for entry in sorted(source.iterdir()):
        if entry.name in IGNORED or entry.name.startswith("."):
            continue
        if not entry.is_dir() and not is_archive(entry) and not _is_known(entry.name):
            continue
        one = about.get(entry.name) or _of_name(entry)
        before = found.get(one.learner)
        packed = _packed(entry)
        if before is None:
            one = (
                replace(one, folder=entry)
                if entry.is_dir() and not packed
                else replace(one, folder=_new(scratch, one.learner))
            )
        else:  # several files of one learner: they are brought together
            one = replace(before, late=before.late or one.late)
            if before.folder.parent != scratch:
                together = _new(scratch, one.learner)
                shutil.copytree(before.folder, together / before.folder.name, symlinks=True)
                one = replace(one, folder=together)
        if entry != one.folder:
            for part in packed or (entry,):
                one = _bring(part, one)
        found[one.learner] = one
    if not found:
        raise LabsError(
            f"{source}: nothing to grade.", "It should hold a folder or an archive for each learner."
        )
    return [found[learner] for learner in sorted(found)]


def _of_name(entry: Path) -> Submission:
    """Who handed this in, by its name."""
    stem = _stem(entry)
    if match := MOODLE.fullmatch(entry.name):
        return Submission(f"{slug(match['name'])}-{match['id']}", entry, name=match["name"])
    if match := CANVAS.fullmatch(entry.name):
        return Submission(
            f"{slug(match['name'])}-{match['id']}", entry, name=match["name"], late=bool(match["late"])
        )
    if match := BLACKBOARD.fullmatch(entry.name):
        at = datetime.strptime(match["at"], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
        return Submission(slug(match["id"]), entry, name=match["id"], at=at)
    return Submission(slug(stem), entry, name=stem)


def _is_known(name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in (MOODLE, CANVAS, BLACKBOARD))


def _packed(entry: Path) -> tuple[Path, ...]:
    """What lies in a learner's folder that holds archives, as Moodle writes it; nothing for any other folder."""
    if not entry.is_dir() or entry.is_symlink():
        return ()
    inner = tuple(sorted(one for one in entry.iterdir() if one.name not in IGNORED))
    archives = [one for one in inner if is_archive(one)]
    return inner if archives and (len(archives) == len(inner) or _is_known(entry.name)) else ()


def _gradescope(path: Path) -> dict[str, Submission]:
    """Submissions by the name of their folder, from the list that Gradescope puts beside them.

    Raises:
        LabsError: the list cannot be read.
    """
    if not path.is_file():
        return {}
    import yaml

    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = {}
        for folder, about in listed.items():
            people = about.get(":submitters") or [{}]
            names = [
                str(one.get(":sid") or one.get(":email") or one.get(":name") or folder) for one in people
            ]
            found[str(folder)] = Submission(
                slug("+".join(names)),
                path.parent / str(folder),
                name=" and ".join(str(one.get(":name") or "") for one in people),
                at=_moment(about.get(":created_at")),
            )
        return found
    except (yaml.YAMLError, AttributeError, UnicodeDecodeError) as error:
        raise LabsError(
            f"{path}: cannot be read ({printable(str(error))}).", "Export the submissions once more."
        ) from error


def _moment(value: object) -> datetime | None:
    """YAML reads most times by itself, but not `2026-11-08 12:30:00 +0530`."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None


def _bring(entry: Path, one: Submission) -> Submission:
    """Put one more file or archive into a submission's folder."""
    match = MOODLE.fullmatch(entry.name) or CANVAS.fullmatch(entry.name)
    name = slug(match["rest"] if match and match["rest"] else entry.name, keep=".")
    try:
        if is_archive(entry):
            target = _unused(one.folder / _without_ending(name))
            done = unpack(entry, target)
            return replace(one, notes=(*one.notes, *done.notes))
        if entry.is_dir():
            shutil.copytree(entry, _unused(one.folder / name), symlinks=True)
        elif entry.is_file() and not entry.is_symlink():
            shutil.copyfile(entry, _unused(one.folder / name))
    except LabsError as error:
        return replace(one, error=error.message)
    except OSError as error:
        return replace(one, error=f"{printable(entry.name)}: cannot be read ({error.strerror}).")
    return one


def slug(text: str, keep: str = "") -> str:
    """A name that is safe as a file's name, and still readable: letters of any script, digits, - _ + @."""
    kept = "".join(one if one.isalnum() or one in "-_+@" + keep else "-" for one in text.strip())
    return re.sub(r"-{2,}", "-", kept).strip("-.")[:100] or "unnamed"


def _new(scratch: Path, learner: str) -> Path:
    folder = scratch / learner
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _unused(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _stem(entry: Path) -> str:
    return entry.name if entry.is_dir() else _without_ending(entry.name)


def _without_ending(name: str) -> str:
    ending = next((one for one in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(one)), "")
    return name[: len(name) - len(ending)] if ending else name


def _single_folders(folder: Path) -> Iterator[Path]:
    """The folder, and those below it that lie alone: most archives hold one folder, which holds the work."""
    for _ in range(DEEPEST):
        yield folder
        inner = [one for one in folder.iterdir() if one.name not in IGNORED]
        if len(inner) != 1 or not inner[0].is_dir() or inner[0].is_symlink():
            return
        folder = inner[0]


def _folders(top: Path, depth: int) -> Iterator[Path]:
    if depth and top.is_dir():
        for one in sorted(top.iterdir()):
            if (
                one.is_dir()
                and not one.is_symlink()
                and one.name not in IGNORED
                and not one.name.startswith(".")
            ):
                yield one
                yield from _folders(one, depth - 1)


def _is_ours(place: Path) -> bool:
    """A lab's own folder in a clone of the course is no submission."""
    return (place / "lab.toml").is_file() or place.parent.name in ("mistakes", "alternatives")
