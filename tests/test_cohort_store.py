"""Results are durable before anybody is told, and found again by what was graded."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labs.cohort.store import Store, Task
from labs.errors import LabsError
from labs.fingerprint import of_folder
from labs.results import CheckResult, LabResult, State

RESULT = LabResult("a_lab", 7, (CheckResult("starts", "starts", 2, State.PASSED),), seconds=1.5)
TASK = Task("asha", "a_lab", "work-1", "rules-1")
AT = "2026-11-08T06:30:00+00:00"


def test_a_result_is_found_by_exactly_what_was_graded(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.sqlite")
    assert store.result(TASK) is None
    store.keep(TASK, RESULT, AT)
    assert Store(tmp_path / "results.sqlite").result(TASK) == RESULT
    for other in (
        Task("ravi", "a_lab", "work-1", "rules-1"),
        Task("asha", "a_lab", "work-2", "rules-1"),
        Task("asha", "a_lab", "work-1", "rules-2"),
        Task("asha", "a_lab", "work-1", "rules-1", 1),
    ):
        assert store.result(other) is None


def test_a_second_grading_replaces_the_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.sqlite")
    store.keep(TASK, RESULT, AT)
    store.keep(Task("asha", "a_lab", "work-2", "rules-1"), RESULT, AT)
    assert [row[:3] for row in store.all()] == [("asha", "a_lab", 0)]


BROKEN = LabResult("a_lab", 7, (CheckResult("starts", "starts", 2, State.OUR_FAULT),))
HALF = LabResult("a_lab", 7, (*RESULT.checks, *BROKEN.checks))


@pytest.mark.parametrize(
    ("work", "result", "takes_the_place"),
    [
        ("work-1", BROKEN, False),
        ("work-1", HALF, False),
        ("work-2", BROKEN, False),  # nothing of the new work was graded
        ("work-2", HALF, True),
        ("work-1", RESULT, True),
    ],
)
def test_what_broke_by_our_fault_takes_no_earned_marks_place(
    tmp_path: Path, work: str, result: LabResult, takes_the_place: bool
) -> None:
    store = Store(tmp_path / "results.sqlite")
    store.keep(TASK, RESULT, AT)
    store.keep(Task("asha", "a_lab", work, "rules-1"), result, "later")
    assert [row[3] for row in store.all()] == ["later" if takes_the_place else AT]


def test_repetitions_are_dropped_from_a_number_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.sqlite")
    for repetition in range(3):
        store.keep(Task("asha", "a_lab", "work-1", "rules-1", repetition), RESULT, AT)
    store.drop_repetitions("asha", "a_lab", 1)
    assert [row[2] for row in store.all()] == [0]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    Store(tmp_path / "results.sqlite").keep(TASK, RESULT, AT)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("results.sqlite*")} == {0o600}


def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.sqlite"
    Store(path)
    connect = sqlite3.connect

    def full(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*given, **named)
        connection.execute("PRAGMA max_page_count = 1")  # of this connection alone: as many as there are
        return connection

    monkeypatch.setattr("sqlite3.connect", full)
    long = replace(RESULT, notes=("x" * 100_000,))
    with pytest.raises(LabsError, match="the disk is full"):
        Store(path).keep(TASK, long, AT)


def test_a_store_that_cannot_be_written_is_not_to_be_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    store = Store(path)
    path.unlink()
    path.mkdir()  # SQLite says of it what it says of a folder that is read-only
    with pytest.raises(LabsError, match="cannot be written") as said:
        store.keep(TASK, RESULT, AT)
    assert "--out" in said.value.next_step and "Move" not in said.value.next_step


def test_what_was_told_is_there_after_a_kill(tmp_path: Path) -> None:
    """A process keeps results and tells of each; it is killed at any moment."""
    code = """
import sys
from pathlib import Path
from labs.cohort.store import Store, Task
from labs.results import LabResult
store = Store(Path(sys.argv[1]))
for number in range(100_000):
    store.keep(Task(f"learner-{number:06d}", "a_lab", "w", "r"), LabResult("a_lab", 7, ()), "2026-11-08")
    print(number, flush=True)
"""
    path = tmp_path / "results.sqlite"
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(25)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.readlines()
    process.wait()
    whole = [int(line) for line in told if line.endswith("\n")]
    kept = {learner for learner, *_ in Store(path).all()}
    assert {f"learner-{number:06d}" for number in whole} <= kept
    assert len(kept) - len(whole) in (0, 1)


def test_what_is_no_store_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    path.write_text("my notes, not a database, and longer than a header of one hundred bytes" * 3)
    with pytest.raises(LabsError, match="cannot be used"):
        Store(path)
    assert path.read_text().startswith("my notes")


def test_a_fingerprint_changes_with_names_bytes_and_modes_alone(tmp_path: Path) -> None:
    def make(name: str) -> Path:
        folder = tmp_path / name
        (folder / "deep").mkdir(parents=True)
        (folder / "app.py").write_text("x = 1\n")
        (folder / "deep" / "b").write_text("2")
        return folder

    first = of_folder(make("a"))
    assert of_folder(make("b")) == first
    changed = []
    for number, change in enumerate((
        lambda one: (one / "app.py").write_text("x = 2\n"),
        lambda one: (one / "app.py").rename(one / "api.py"),
        lambda one: (one / "app.py").chmod(0o755),
        lambda one: (one / "new").touch(),
        lambda one: (one / "link").symlink_to("app.py"),
    )):  # fmt: skip
        folder = make(f"c{number}")
        change(folder)
        changed.append(of_folder(folder))
    assert len({first, *changed}) == 6
    cached = make("d")
    (cached / "__pycache__").mkdir()
    (cached / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert of_folder(cached) == first


def test_older_work_is_no_repetition_of_the_new_one(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.sqlite")
    for repetition in range(3):
        store.keep(Task("asha", "a_lab", "work-1", "rules-1", repetition), RESULT, AT)
    store.keep(Task("ravi", "a_lab", "work-1", "rules-1", 1), RESULT, AT)
    store.keep(Task("asha", "a_lab", "work-2", "rules-1"), RESULT, AT)
    assert [row[:3] for row in store.all()] == [("asha", "a_lab", 0), ("ravi", "a_lab", 1)]
