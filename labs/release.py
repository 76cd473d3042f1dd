"""The learners' repository: the course without its answers, with one commit and no history.

What is tracked by git at HEAD goes in, but for what only authors need. In texts, what stands between a line with
`authors only` and one with `for all` stays out as well. `CLASSROOM` becomes a workflow of the new repository.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labs.catalog import Catalog
from labs.errors import LabsError

ANSWERS = ("solution", "alternatives", "mistakes")  # folders of a lab
AUTHORS = ("tests", "benchmarks", ".ci", ".github", "CONTRIBUTING.md", "infra/classroom", "infra/docker")
CLASSROOM = "infra/classroom/autograding.yml"
BEGIN, END = ("# authors only", "<!-- authors only -->"), ("# for all", "<!-- for all -->")


@dataclass(frozen=True)
class Released:
    """What was written. `commit` is the course's commit that it was made from."""

    folder: Path
    files: int
    labs: int
    commit: str


def release(catalog: Catalog, target: Path) -> Released:
    """Write the learners' repository into `target`, which does not exist yet or is empty.

    Raises:
        LabsError: the course is no clean git checkout, `target` is in use, or an answer would have gone out.
    """
    if target.resolve().is_relative_to(catalog.root.resolve()):
        raise LabsError(
            f"{target}: inside of the course.", "Name a folder beside it: labs release ../learners"
        )
    commit = _clean_head(catalog.root)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise LabsError(f"{target}: not empty.", "Name a folder that does not exist yet.")
    files, answers = _sorted_out(catalog)
    _nothing_leaks(files, answers)
    new = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(new, ignore_errors=True)
    try:
        for name, (content, mode) in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(mode)
        _commit(new, catalog)
        if target.exists():
            target.rmdir()
        new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return Released(target, len(files), len(catalog.labs), commit)


def _clean_head(root: Path) -> str:
    """The commit that stands in the working tree."""
    if not (root / ".git").exists():
        raise LabsError(f"{root}: no git checkout.", "Release from a clone of the course.")
    if changed := _git(root, "status", "--porcelain", "--untracked-files=all").decode().splitlines():
        if marks := next((line[3:] for line in changed if line.endswith("/results.sqlite")), ""):
            raise LabsError(
                f"{PurePosixPath(marks).parent}: marks that `labs grade` wrote.",
                "Move this folder out of the course; it must never be committed.",
            )
        few = ", ".join(line[3:] for line in changed[:3]) + (", …" if len(changed) > 3 else "")
        raise LabsError(f"Not committed: {few}.", "Commit it, or stash it: a release is a commit.")
    return _git(root, "rev-parse", "HEAD").decode().strip()


def _sorted_out(catalog: Catalog) -> tuple[dict[str, tuple[bytes, int]], dict[str, bytes]]:
    """What goes out (content and mode, by path), and the answers, which do not."""
    files: dict[str, tuple[bytes, int]] = {}
    answers: dict[str, bytes] = {}
    folders = {lab.folder.relative_to(catalog.root).as_posix() for lab in catalog.labs}
    with tarfile.open(fileobj=io.BytesIO(_git(catalog.root, "archive", "HEAD"))) as archive:
        for member in archive:
            if not member.isfile():
                if member.issym() or member.islnk():
                    raise LabsError(f"{member.name}: a link.", "Put the file itself there.")
                continue
            opened = archive.extractfile(member)
            assert opened is not None
            content, path = opened.read(), PurePosixPath(member.name)
            if path.as_posix() == CLASSROOM:
                files[".github/workflows/autograding.yml"] = (content, 0o644)
            if _is_answer(path, folders):
                answers[member.name] = content
            elif not any(path.is_relative_to(name) for name in AUTHORS):
                files[member.name] = (_for_all(member.name, content), 0o755 if member.mode & 0o100 else 0o644)
    return files, answers


def _is_answer(path: PurePosixPath, folders: set[str]) -> bool:
    parts = path.parts
    return len(parts) > 3 and "/".join(parts[:2]) in folders and parts[2] in ANSWERS


def _for_all(name: str, content: bytes) -> bytes:
    """Without the parts for authors."""
    if not any(mark.encode() in content for mark in (*BEGIN, *END)):
        return content
    kept, inside = [], 0
    for number, line in enumerate(content.decode().splitlines(keepends=True), 1):
        if line.strip() in BEGIN or line.strip() in END:
            if (line.strip() in BEGIN) == bool(inside):
                raise LabsError(
                    f"{name}, line {number}: {line.strip()!r} out of turn.", "They stand in pairs."
                )
            inside = number if line.strip() in BEGIN else 0
        elif not inside:
            kept.append(line)
    if inside:
        raise LabsError(f"{name}, line {inside}: no end of what is for authors only.", f"End it: {END[0]!r}.")
    return "".join(kept).encode()


def _nothing_leaks(files: dict[str, tuple[bytes, int]], answers: dict[str, bytes]) -> None:
    """No file goes out whose bytes are those of an answer, unless the starter of that lab has them too."""
    known = {content: name for name, content in answers.items() if len(content.split()) > 2}
    for name, (content, _) in files.items():
        source = known.get(content)
        if source and not name.startswith("/".join((*source.split("/")[:2], "starter"))):
            raise LabsError(f"{name} is the same as {source}.", "Give learners something else there.")


def _commit(folder: Path, catalog: Catalog) -> None:
    _git(folder, "init", "--quiet", "--initial-branch=main", "--template=")
    _git(folder, "add", "--all", "--force")
    who = ("-c", "user.name=The course", "-c", "user.email=course@example.org", "-c", "commit.gpgsign=false")
    stages = ", ".join(stage.title for stage in catalog.stages if stage.labs)
    _git(folder, *who, "commit", "--quiet", "--no-verify", "--message", f"The labs: {stages}")


def _git(folder: Path, *words: str) -> bytes:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], env=env, capture_output=True, check=False)
    except FileNotFoundError:
        raise LabsError(
            "There is no git on this machine.", "Install it (apt install git), then again."
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise LabsError(f"git {words[0]} in {folder}: {said}", "Mend that, then the same command again.")
    return done.stdout
