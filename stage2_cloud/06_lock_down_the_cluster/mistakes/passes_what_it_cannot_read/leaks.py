"""Proves that secrets are nowhere they should not be: in git repositories, images and plain files.

    python3 leaks.py --secrets FILE PLACE [PLACE …]

Every byte is searched for every form that a secret takes on its way. Nothing is unpacked to disk, and nothing of a
place is believed: git sees its objects alone, without its settings and refs. Memory is bounded by a chunk; for a
repository by its trees and one object at a time.
Exit status: 0 nothing found; 1 found; 2 a place was not read to its end, whatever was found.
"""

from __future__ import annotations

import argparse
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from forms import BROKEN, Find, Secrets, Unread
from images import look_in_image
from repositories import look_in_repository

FOUND, UNREAD = 1, 2
SECRET = re.compile(r"[!-~]{12,200}")  # printable ASCII characters, without the space


def look(place: str, secrets: Secrets) -> Iterator[Find]:
    """Raises: Unread, and what is in BROKEN."""
    path = Path(place)
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        for folder in (path / ".git", path):
            if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
                return look_in_repository(folder, secrets)
        raise Unread("no repository")
    if not stat.S_ISREG(kind):
        raise Unread("neither a file nor a folder")
    return look_in_image(path, secrets) if path.suffix == ".tar" else look_in_file(path, secrets)


def look_in_file(path: Path, secrets: Secrets) -> Iterator[Find]:
    with path.open("rb") as file:
        yield from (Find(f"line {line}", number) for line, number in sorted(secrets.lines(file)))


def main() -> int:
    parser = argparse.ArgumentParser(description="Look for secrets in repositories, images and files.")
    parser.add_argument("--secrets", required=True, metavar="FILE", help="one secret a line")
    parser.add_argument(
        "places", nargs="+", metavar="PLACE", help="a git repository, an image (.tar) or a file"
    )
    words = parser.parse_args()
    try:
        lines = Path(words.secrets).read_bytes().decode().split("\n")
    except (OSError, ValueError) as error:
        parser.error(f"--secrets: {type(error).__name__}")
    values = {number: line for number, line in enumerate(lines, 1) if line}
    wrong = [number for number, line in values.items() if not SECRET.fullmatch(line)]
    if wrong or not values:
        parser.error(
            f"--secrets: line {wrong[0]} is no secret" if wrong else "--secrets: the file holds none"
        )
    secrets, status = Secrets(values), 0
    for place in words.places:
        told = set[Find]()
        try:
            for find in look(place, secrets):
                if find not in told:
                    print(secrets.hide(place), secrets.hide(find.where), f"secret {find.number}", sep="\t")
                told.add(find)
                status = max(status, FOUND)
        except (Unread, *BROKEN) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            print(secrets.hide(f"{place}: not read to its end: {said}"), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
