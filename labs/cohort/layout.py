"""Where in a submission the work for a lab is. No part of a path below a submission may be a link.

The folders to look from come from labs.cohort.submissions: what was handed in, and each archive in it, unpacked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from labs.catalog import Lab
from labs.cohort.archives import RUBBISH, is_archive, printable

IGNORED = RUBBISH | {".git", "submission_metadata.yml"}
DEEPEST = 4
SHOWN = 5


class Layout:
    """The folders of a submission, looked at once for all labs.

    Attributes:
        roots: folders to look from: what was handed in, and each archive in it, unpacked.
        tops: the roots, and what lies alone in them.
        folders: all folders, not deeper than DEEPEST; those that lie less deep come first.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(roots)
        self.tops = [top for root in roots for top in single_folders(root)]
        below = [one for root in roots for one in _folders(root, DEEPEST)]
        self.folders = sorted(below, key=lambda path: (len(path.parts), str(path)))


def of_lab(layout: Layout, lab: Lab, only: bool) -> list[Path]:
    """Folders that may be the work, the best first: `work/LAB`, `LAB`, then deeper; those with the lab's files first.

    Args:
        only: the lab is graded alone: its files may also lie at the top.
    """
    ways = (("work", lab.slug), (lab.slug,))
    named = [top.joinpath(*way) for top in layout.tops for way in ways if is_plain(top, *way)]
    named += [place for place in layout.folders if place.name == lab.slug]
    if only and not any(_holds(place, lab) for place in named):
        named += [top for top in layout.tops if _holds(top, lab)]
    return sorted(dict.fromkeys(named), key=lambda place: not _holds(place, lab))


def notes(layout: Layout, lab: Lab, only: bool) -> list[str]:
    """What the learner and the instructor should know of where the work was, or was not, found."""
    found, roots = of_lab(layout, lab, only), layout.roots
    wanted = ", ".join(f"`{name}`" for name in lab.files[:SHOWN])
    if not found:
        links = [f"`{one.name}` is a link: links are not followed." for root in roots for one in _links(root)]
        here = _elsewhere(layout, lab, only)
        if here:
            links.append(
                f"Files were found ({here}), but not where the work for {lab.slug} is looked for:"
                f" work/{lab.slug}, with {wanted}."
            )
        return links
    if lab.files and not _holds(found[0], lab):
        here = _names(found[0], [found[0]], archives=True) or "nothing"
        return [f"{found[0].name} holds none of {wanted}; what is there: {here}."]
    rivals = [
        place for place in found[1:] if lab.files and _holds(place, lab) and place not in found[0].parents
    ]
    counts = f"There is work for {lab.slug} more than once: {_below(found[0], roots)} counts"
    return [f"{counts}, {_below(rival, roots)} does not." for rival in rivals[:SHOWN]]


def is_plain(top: Path, *parts: str) -> bool:
    """A folder below `top`, with no link on the way to it."""
    for part in parts:
        top = top / part
        if top.is_symlink():
            return False
    return top.is_dir()


def single_folders(folder: Path) -> Iterator[Path]:
    """The folder, and those below it that lie alone: most archives hold one folder, which holds the work."""
    for _ in range(DEEPEST):
        if not is_plain(folder):
            return
        yield folder
        inner = _entries(folder)
        if len(inner) != 1 or not is_plain(folder, inner[0].name):
            return
        folder = inner[0]


def _holds(place: Path, lab: Lab) -> bool:
    return any(os.path.lexists(place / name) for name in lab.files)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.name not in IGNORED)
    except OSError:
        return []


def _folders(top: Path, depth: int) -> Iterator[Path]:
    """Folders below; not a lab's own folder in a clone of the course, which is no submission."""
    for one in _entries(top) if depth else ():
        if is_plain(top, one.name) and not one.name.startswith(".") and not (one / "lab.toml").exists():
            yield one
            yield from _folders(one, depth - 1)


def _links(root: Path) -> list[Path]:
    return [one for one in _entries(root) if one.is_symlink()][:SHOWN]


def _elsewhere(layout: Layout, lab: Lab, only: bool) -> str:
    """Files that lie somewhere else. Of many labs: those of this lab alone, outside of `work`."""
    folders = [*layout.roots, *layout.folders]
    if not only:
        folders = [
            one for one in folders if "work" not in one.parts[-3:] and lab.files and _has_all(one, lab)
        ]
    archives = len(layout.roots) == 1  # else they were opened
    said = (_names(root, [one for one in folders if _is_below(one, root)], archives) for root in layout.roots)
    return next((names for names in said if names), "")


def _has_all(folder: Path, lab: Lab) -> bool:
    return all(os.path.lexists(folder / name) for name in lab.files)


def _is_below(folder: Path, root: Path) -> bool:
    return folder == root or root in folder.parents


def _names(root: Path, folders: Sequence[Path], archives: bool) -> str:
    every = [one for folder in folders for one in _entries(folder)]
    files = [one.relative_to(root) for one in every if one.is_file() and (archives or not is_archive(one))]
    shown = ", ".join(f"`{printable(path.as_posix())}`" for path in files[:SHOWN])
    return shown + (f" and {len(files) - SHOWN} more" if len(files) > SHOWN else "")


def _below(place: Path, roots: Sequence[Path]) -> str:
    """The path as the learner knows it, from their own folder on."""
    root = next((root for root in reversed(roots) if _is_below(place, root)), place)
    return f"`{printable((root.name / place.relative_to(root)).as_posix())}`"
