"""What has been graded: a SQLite file in the output folder, written before anybody is told.

One row for each grading, by what was graded: a fingerprint of the work, one of the rules (lab, seed, tier, engine), and
the repetition. A second run of the same command finds them, and grades only what is missing or has changed. A row is
committed with `synchronous=FULL`: what was reported once is there after a power cut.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labs.cohort import out_folder
from labs.errors import LabsError
from labs.results import LabResult, State

SCHEMA = """
CREATE TABLE IF NOT EXISTS graded (
    learner TEXT NOT NULL, lab TEXT NOT NULL, repetition INTEGER NOT NULL, work TEXT NOT NULL, rules TEXT NOT NULL,
    finished_at TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY (learner, lab, repetition)
) STRICT;
"""
BUSY_SECONDS = 30


@dataclass(frozen=True)
class Task:
    """One grading to do. `work` and `rules` are fingerprints: of the submission, and of what it is graded by."""

    learner: str
    lab: str
    work: str
    rules: str
    repetition: int = 0


class Store:
    """Results of one cohort. Several threads and several processes may use it at the same time."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            LabsError: the file is there and is no store, or cannot be written.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)  # the files that SQLite puts beside it get the same
        with self._open() as connection:
            connection.executescript(SCHEMA)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(
                sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                yield connection
        except sqlite3.DatabaseError as error:
            raise self._plainly(error) from error

    def _plainly(self, error: sqlite3.DatabaseError) -> LabsError:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            return out_folder.full(self.path)
        if isinstance(error, sqlite3.OperationalError):  # of the disk, and not of what the file holds
            return LabsError(f"{self.path}: cannot be written ({error}).", out_folder.ELSEWHERE)
        return LabsError(
            f"{self.path}: cannot be used as the store of results ({error}).",
            "Move it away, or give another folder with --out; then grade again.",
        )

    def keep(self, task: Task, result: LabResult, finished_at: str) -> None:
        """Durable when this returns. What broke by our fault takes no earned mark's place: not that of the same task,
        and where nothing of it was graded, not that of older work either.

        Args:
            finished_at: ISO 8601, UTC.
        """
        row = (task.learner, task.lab, task.repetition, task.work, task.rules, finished_at, result.to_json())
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if result.state is not State.OUR_FAULT or self._may_replace(connection, task, result):
                connection.execute(  # older work, and older rules, are no repetitions of this
                    "DELETE FROM graded WHERE learner = ? AND lab = ? AND (work <> ? OR rules <> ?)",
                    (task.learner, task.lab, task.work, task.rules),
                )
                connection.execute("INSERT OR REPLACE INTO graded VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute("COMMIT")

    def _may_replace(self, connection: sqlite3.Connection, task: Task, broken: LabResult) -> bool:
        rows = connection.execute(
            "SELECT repetition, work, rules, result FROM graded WHERE learner = ? AND lab = ?",
            (task.learner, task.lab),
        )
        nothing = all(check.state is State.OUR_FAULT for check in broken.checks)
        for repetition, work, rules, text in rows:
            same_work = (work, rules) == (task.work, task.rules)
            in_the_way = repetition == task.repetition if same_work else nothing
            if in_the_way and LabResult.from_json(text, str(self.path)).state is not State.OUR_FAULT:
                return False
        return True

    def result(self, task: Task) -> LabResult | None:
        """The kept result of exactly this task; None if it has to be graded."""
        with self._open() as connection:
            row = connection.execute(
                "SELECT result FROM graded WHERE learner = ? AND lab = ? AND repetition = ? AND work = ? AND rules = ?",
                (task.learner, task.lab, task.repetition, task.work, task.rules),
            ).fetchone()
        return LabResult.from_json(row[0], f"{self.path}: {task.learner}, {task.lab}") if row else None

    def all(self) -> Iterator[tuple[str, str, int, str, LabResult]]:
        """(learner, lab, repetition, finished at, result), sorted."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT learner, lab, repetition, finished_at, result FROM graded ORDER BY learner, lab, repetition"
            ).fetchall()
        for learner, lab, repetition, finished_at, text in rows:
            yield (
                learner,
                lab,
                repetition,
                finished_at,
                LabResult.from_json(text, f"{self.path}: {learner}, {lab}"),
            )

    def drop_repetitions(self, learner: str, lab: str, first: int) -> None:
        """Of gradings that were repeated, those from the number `first` on; the first of all is 0."""
        with self._open() as connection:
            connection.execute(
                "DELETE FROM graded WHERE learner = ? AND lab = ? AND repetition >= ?", (learner, lab, first)
            )
