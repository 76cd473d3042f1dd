"""Whom a name in an export tells of: the patterns of Moodle, Canvas, Blackboard and Gradescope, and plain names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from labs.cohort.archives import printable, without_ending
from labs.errors import LabsError

# Moodle 4 ends the name of a learner's folder with the kind; before, an underscore followed. Single files have more.
MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<rest>.*))?", re.DOTALL
)
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d+_(?P<rest>.+)", re.DOTALL)
BLACKBOARD = re.compile(
    r".+_(?P<id>[^_]+)_attempt_(?P<at>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_(?P<rest>.+)|\.txt)?", re.DOTALL
)
GRADESCOPE = "submission_metadata.yml"
NANOSECONDS = re.compile(r"(\.\d{6})\d+")


@dataclass(frozen=True)
class Who:
    """One learner as an export names them.

    Attributes:
        learner: the name in the gradebook, safe as a file's name.
        system: `moodle`, `canvas`, `blackboard` or `gradescope`; nothing for a plain name.
        number: what the system calls the learner: Moodle's participant, Canvas's user, Blackboard's login.
        at: when the system got it, where it says so.
        no_offset: `at` came without an offset from UTC, and was read in the instructor's time zone.
        late: the system says so, without a time.
        file: how the learner called the file, where the entry is one.
    """

    learner: str
    name: str
    system: str = ""
    number: str = ""
    at: datetime | None = None
    no_offset: bool = False
    late: bool = False
    file: str = ""


def of_entry(name: str, is_folder: bool, zone: tzinfo) -> Who:
    """Who handed in the folder or file of this name."""
    if match := MOODLE.fullmatch(name):
        learner = f"{slug(match['name'])}-{match['id']}"
        return Who(learner, match["name"], "moodle", match["id"], file=match["rest"] or "")
    if match := CANVAS.fullmatch(name):
        learner, late = f"{slug(match['name'])}-{match['id']}", bool(match["late"])
        return Who(learner, match["name"], "canvas", match["id"], late=late, file=match["rest"])
    if match := BLACKBOARD.fullmatch(name):
        at = _blackboard(match["at"], zone)
        return Who(
            slug(match["id"]), match["id"], "blackboard", match["id"], at, bool(at), file=match["rest"] or ""
        )
    plain = name if is_folder else without_ending(name)
    return Who(slug(plain), plain)


def is_known(name: str) -> bool:
    """Whether a learning system gave it: such a file is a submission, whatever it is."""
    return any(pattern.fullmatch(name) for pattern in (MOODLE, CANVAS, BLACKBOARD))


def of_gradescope(path: Path, zone: tzinfo) -> dict[str, tuple[Who, ...]]:
    """By the name of a submission's folder, from the list that Gradescope puts beside them; of a group, each member.

    Raises:
        LabsError: the list cannot be read.
    """
    if not path.is_file():
        return {}
    import yaml

    class Plain(yaml.SafeLoader):
        """Nothing is built of a tag such as `!ruby/hash`: what is below it is read as it stands."""

    Plain.add_multi_constructor("!", lambda loader, _, node: _below(loader, node))
    try:
        listed = yaml.load(path.read_text(encoding="utf-8"), Plain)
        return {str(folder): _members(str(folder), about, zone) for folder, about in listed.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, OSError, RecursionError) as error:
        raise LabsError(
            f"{path}: cannot be read ({printable(str(error))}).", "Export the submissions once more."
        ) from error


def _members(folder: str, about: Any, zone: tzinfo) -> tuple[Who, ...]:
    if not folder or Path(folder).name != folder:
        raise ValueError(f"{folder!r} is no name of a folder")
    at, no_offset = _moment(about.get(":created_at"), zone)
    found = []
    for one in about.get(":submitters") or [{}]:
        number = str(one.get(":sid") or one.get(":email") or one.get(":name") or folder)
        name = str(one.get(":name") or "")
        found.append(Who(slug(number), name, "gradescope", number, at, no_offset))
    return tuple(found)


def _below(loader: Any, node: Any) -> Any:
    kind = node.id
    if kind == "mapping":
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if kind == "sequence" else loader.construct_scalar(node)


def _moment(value: object, zone: tzinfo) -> tuple[datetime | None, bool]:
    """The time, and whether it came without an offset. YAML does not read `2026-11-08 12:30:00 +0530` by itself."""
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(re.sub(r" (?=[-+Z])", "", NANOSECONDS.sub(r"\1", str(value))))
        except ValueError:
            return None, False
    no_offset = value.tzinfo is None
    return (value.replace(tzinfo=zone) if no_offset else value).astimezone(UTC), no_offset


def _blackboard(text: str, zone: tzinfo) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S").replace(tzinfo=zone).astimezone(UTC)
    except ValueError:  # a date that there is not
        return None


def few(names: Sequence[str], most: int = 10) -> str:
    """The first names of a list, for a line on the screen."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def slug(text: str, keep: str = "") -> str:
    """A name that is safe as a file's name, and still readable: letters of any script, digits, - _ + @."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(one if one.isalnum() or one in "-_+@" + keep else "-" for one in text.strip())
    return re.sub(r"-{2,}", "-", kept).strip("-.")[:100] or "unnamed"
