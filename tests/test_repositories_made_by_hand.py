"""Repositories that the lab lock_down_the_cluster makes without git: git itself finds nothing wrong with them.

Formats: gitformat-pack(5) and gitrepository-layout(5).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LAB = next((Path(__file__).parent.parent / "stage2_cloud").glob("*_lock_down_the_cluster"))


@pytest.fixture(scope="module")
def places() -> Iterator[Any]:
    sys.path.insert(0, str(LAB / "checks"))
    try:
        import git_places

        yield git_places
    finally:
        sys.path.remove(str(LAB / "checks"))


def git(folder: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "--git-dir", str(folder), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


def written(files: dict[str, bytes], folder: Path) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_git_reads_what_we_write(places: Any, tmp_path: Path, packed: bool) -> None:
    repo = places.Repository()
    old = "".join(f"{number},a row of a table\n" for number in range(900))
    new = old.replace("450,a row", "450,another row of two hundred letters " + "x" * 200)
    before, after = repo.blob(old), repo.blob(new)
    first = repo.commit({"a/b/rows.csv": before, "a.txt": repo.blob("a\n"), "a-b": repo.blob("b\n")})
    second = repo.commit({"a/b/rows.csv": after}, [first], "Second")
    repo.refs = {"refs/heads/main": second, "refs/tags/v1": repo.tag(first, "v1", "One")}
    names = list(repo.objects) if packed else []
    folder = written(repo.files(names, {before: after} if packed else {}), tmp_path)
    assert git(folder, "fsck", "--full", "--strict") == ""
    assert git(folder, "show", "v1:a/b/rows.csv") == old
    assert git(folder, "show", "main:a/b/rows.csv") == new
    assert len(git(folder, "cat-file", "--batch-all-objects", "--batch-check").splitlines()) == len(
        repo.objects
    )


def test_holders_are_all_commits_that_have_it(places: Any) -> None:
    repo = places.Repository()
    blob = repo.blob("x\n")
    first = repo.commit({"here": blob})
    second = repo.commit({"here": blob, "there": blob}, [first])
    repo.commit({"here": repo.blob("y\n")}, [second])
    assert repo.holders(blob, "here") == {first, second}
    assert repo.holders(blob, "there") == {second}
