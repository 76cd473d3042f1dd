"""The learner's only writing place: start, reset with a backup, our solution beside it; overlays.

Nothing here overwrites a learner's file. A copy is made whole in a hidden folder and then renamed into place:
Ctrl-C or a full disk leaves either the old state or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labs.catalog import Lab
from labs.errors import LabsError

NOT_COPIED = {"__pycache__", ".pytest_cache", ".DS_Store"}
VARIANT_ONLY = {"expected.txt", "expected.local.txt", "removed.txt"}


@dataclass(frozen=True)
class Workspace:
    """The folder `work/` of one learner. `root` may itself be a link (somebody keeps it on another disk)."""

    root: Path

    @staticmethod
    def find(course: Path) -> Workspace:
        """`work/` of the course, or the folder that the environment variable LABS_WORK names."""
        moved = os.environ.get("LABS_WORK", "")
        return Workspace(Path(moved).expanduser().absolute() if moved else course / "work")

    def folder(self, slug: str) -> Path:
        return self.root / slug

    def started(self, slug: str) -> bool:
        """Whether the learner has a folder for this lab.

        Raises:
            LabsError: something that is no folder has the lab's name.
        """
        folder = self.folder(slug)
        try:
            if folder.is_dir():
                return True
            in_the_way = os.path.lexists(folder)
        except OSError as error:
            raise plainly(error, folder) from error
        if in_the_way:
            kind = "a link to nothing" if folder.is_symlink() else "a file"
            raise LabsError(
                f"{folder} is {kind}, not a folder.", "Move it elsewhere, then run the command again."
            )
        return False

    def start(self, lab: Lab) -> bool:
        """Copy the starter to the learner's folder. False, and nothing touched, if there is one already."""
        if self.started(lab.slug):
            return False
        _need(lab.starter, f"The lab `{lab.slug}` has no starter.")
        with self._copied(lab.starter) as copy:
            return self._place(copy, self.folder(lab.slug))

    def reset(self, lab: Lab) -> Path | None:
        """Move the learner's folder to `.backups/` and put a new starter in its place.

        Returns:
            Where the old work is now; None if there was none.
        """
        folder = self.folder(lab.slug)
        if not self.started(lab.slug):
            self.start(lab)
            return None
        if folder.is_symlink():
            raise LabsError(
                f"{folder} is a link to {folder.resolve()}: `labs` writes nothing through a link.",
                f"Remove the link (the files behind it stay), then: labs start {lab.slug}",
            )
        _need(lab.starter, f"The lab `{lab.slug}` has no starter.")
        with self._copied(lab.starter) as copy, _plain_errors(self.root):
            backups = self.hidden(".backups")
            backup = _unused(backups / f"{lab.slug}-{time.strftime('%Y%m%d-%H%M%S')}")
            folder.rename(backup)
            try:
                copy.rename(folder)
            except BaseException:
                if not os.path.lexists(folder):
                    backup.rename(folder)  # no new starter: the old work goes back to where it was
                raise
        return backup

    def copy_solution(self, lab: Lab) -> tuple[Path, bool]:
        """Copy our solution beside the learner's folder: where, and whether it was copied now."""
        target = self.root / f"{lab.slug}-solution"
        if os.path.lexists(target):
            return target, False
        if not lab.solution.is_dir():
            raise LabsError(
                f"The lab `{lab.slug}` has no solution here.",
                "A learners' repository has none: ask your instructor. Elsewhere `git status` shows what is missing.",
            )
        with self._copied(lab.solution) as copy:
            return target, self._place(copy, target)

    def hidden(self, name: str) -> Path:
        """A folder of ours in work/, made if missing.

        Raises:
            LabsError: it is a link (then writing would happen somewhere else), or cannot be made.
        """
        folder = self.root / name
        with _plain_errors(folder):
            if folder.is_symlink():
                raise LabsError(
                    f"{folder} is a link to {folder.resolve()}: `labs` writes nothing through a link.",
                    "Remove the link, then run the command again.",
                )
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def _copied(self, source: Path) -> Iterator[Path]:
        with _plain_errors(self.root):
            staging = Path(tempfile.mkdtemp(prefix="staging-", dir=self.hidden(".labs")))
        try:
            with _plain_errors(self.root):
                copy_tree(source, staging / "copy")
            yield staging / "copy"
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _place(self, copy: Path, target: Path) -> bool:
        """Rename the copy into place; False if somebody else was quicker."""
        with _plain_errors(target):
            try:
                copy.rename(target)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
        return True


def compose(base: Path, over: Path, target: Path) -> None:
    """Copy `base` to `target` (absent or empty), then lay `over` on it.

    `over/removed.txt` lists files of `base` that the result lacks, one a line. It and `expected.txt` describe
    the variant and are no part of it.

    Raises:
        LabsError: a folder is missing, or removed.txt names what is not there.
    """
    _need(base, f"{base}: no such folder.")
    _need(over, f"{over}: no such folder.")
    copy_tree(base, target)
    for name in _removed(over):
        path = target / name
        if ".." in Path(name).parts or Path(name).is_absolute() or not (path.is_file() or path.is_symlink()):
            raise LabsError(f"{over / 'removed.txt'}: {base} has no file {name!r}.", "Take that line out.")
        path.unlink()
    copy_tree(over, target, without=VARIANT_ONLY)


def copy_tree(source: Path, target: Path, without: set[str] | None = None) -> None:
    """Copy files (and links as links) into `target`, made if missing; `without`: names to leave out on top.

    Modes are not copied, only the executable bit: a starter from a read-only checkout must be writable.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        if entry.name in NOT_COPIED or entry.name in (without or ()):
            continue
        here = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            copy_tree(Path(entry.path), here)
            continue
        here.unlink(missing_ok=True)  # never write through a link that `base` holds
        if entry.is_symlink():
            here.symlink_to(Path(entry.path).readlink())
        else:
            shutil.copyfile(entry.path, here)
            executable = entry.stat(follow_symlinks=False).st_mode & 0o100
            here.chmod(0o755 if executable else 0o644)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def plainly(error: OSError, path: Path) -> LabsError:
    """What a failed file operation means, in words."""
    where = error.filename or path
    elsewhere = "Choose a folder that you can write to: export LABS_WORK=~/labs-work"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LabsError(
            f"The disk is full: could not write {where}.",
            "Free some space, then run the command again. Your work is as it was.",
        )
    if error.errno == errno.EROFS:
        return LabsError(f"{where} is on a read-only disk.", elsewhere)
    if error.errno in (errno.EACCES, errno.EPERM):
        return LabsError(f"No permission to write {where}.", elsewhere)
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
        return LabsError(f"{path} cannot be used: a part of its path is missing or no folder.", elsewhere)
    return LabsError(f"Could not use {where}: {error.strerror or error}.", elsewhere)


@contextlib.contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise plainly(error, path) from error


def _removed(over: Path) -> list[str]:
    path = over / "removed.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line.strip() for line in lines if line.strip()]


def _need(folder: Path, message: str) -> None:
    if not folder.is_dir():
        raise LabsError(message, "Is this checkout whole? `git status` shows what is missing.")


def _unused(path: Path) -> Path:
    taken = path
    number = 2
    while os.path.lexists(taken):
        taken = path.with_name(f"{path.name}-{number}")
        number += 1
    return taken
