"""A cohort as a list of git addresses: CSV with the columns `learner`, `url`, and, if you like, `name` and `at`.

Git runs with the network protocols that are meant for this and nothing of the repository's own: no hooks, no
submodules, no large-file downloads, no questions for passwords.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path

from labs.cohort.archives import printable
from labs.cohort.gradebook import read_csv
from labs.cohort.late import moment
from labs.cohort.names import slug
from labs.cohort.submissions import Submission
from labs.errors import LabsError

SECONDS, AT_ONCE = 300, 8
PROTOCOLS = "https:ssh:git:file"
STALE = "could not be refreshed, so the clone from before counts"
PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
WITHOUT = ("-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=true", "-c", "submodule.recurse=false")


def read_list(path: Path, folder: Path, zone: tzinfo | None = None) -> list[tuple[Submission, str]]:
    """(where each learner's clone will be, its address). `zone`: of an `at` without an offset.

    Raises:
        LabsError: a column is missing, a learner is there twice, or an address is none for git.
    """
    try:
        rows = list(read_csv(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabsError(f"{path}: cannot be read ({error}).", "Give a CSV with learner,url.") from error
    found: dict[str, tuple[Submission, str]] = {}
    for number, row in enumerate(rows, 2):
        who, url = (row.get("learner") or "").strip(), (row.get("url") or "").strip()
        try:
            at: datetime | None = moment(row["at"], zone) if (row.get("at") or "").strip() else None
        except LabsError as error:
            raise LabsError(
                f"{path}, line {number}, {who}: `at`: {error.message}", error.next_step
            ) from error
        if not who or not url or url.startswith("-") or "::" in url:
            raise LabsError(
                f"{path}, line {number}: no learner and address ({printable(who)!r}, {printable(url)!r}).",
                "Give a CSV with learner,url; an address like https://… or git@….",
            )
        learner = slug(who)
        if learner in found:
            raise LabsError(f"{path}, line {number}: {learner} is there twice.", "Leave one of the two out.")
        found[learner] = (
            Submission(learner, folder / learner, name=(row.get("name") or who).strip(), at=at),
            url,
        )
    if not found:
        raise LabsError(f"{path}: nothing to clone.", "Give a CSV with learner,url.")
    return list(found.values())


def clone(listed: list[tuple[Submission, str]]) -> list[Submission]:
    """Clone each. Of one that cannot be reached the clone from before counts; without one, that is its error."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="clone") as pool:
        return list(pool.map(_one, *zip(*listed, strict=True)))


def _one(submission: Submission, url: str) -> Submission:
    """A new clone beside the old one takes its place when it is whole."""
    folder = submission.folder
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    options = ("--quiet", "--depth=1", "--template=", "--no-recurse-submodules")
    wrong = _git(*WITHOUT, "clone", *options, "--", url, str(new))
    if wrong:
        shutil.rmtree(new, ignore_errors=True)
        if folder.is_dir():
            return replace(submission, notes=(f"{STALE}: {wrong}",))
        return replace(submission, error=f"cannot be cloned: {wrong}")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return submission


def _git(*words: str) -> str:
    """What git complained about; nothing if all is well."""
    env = {
        **os.environ,
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    try:
        ended = subprocess.run(
            ["git", *words],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"git took longer than {SECONDS} s"
    except OSError as error:
        raise LabsError(
            f"git cannot be started ({error.strerror}).", "Install git, then grade again."
        ) from error
    if ended.returncode == 0:
        return ""
    said = " ".join(ended.stderr.decode("utf-8", "replace").split())
    words_of_git = printable(PASSWORD.sub("", said))
    return words_of_git[-300:] or f"git ended with {ended.returncode}"
