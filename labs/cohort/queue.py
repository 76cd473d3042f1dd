"""The queue that many machines share: what is to be graded, the work itself, and each result, in one database.

The address is that of any database that SQLAlchemy reaches: PostgreSQL for many machines, a SQLite file for several
workers on one. An entry's name says exactly what is graded, and by which rules; a result is written once, and whoever
comes second with the same entry changes nothing. No learner's name is in it.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from labs.cohort.archives import unpack
from labs.cohort.store import Task
from labs.errors import LabsError
from labs.grading import collect
from labs.results import LabResult

ADDRESS = "LABS_QUEUE"  # the variable that names it, on every machine
REFUSED = "Refused"  # in Prefect, the state of a flow run whose machine must not grade
META = sa.MetaData()
WORKS = sa.Table(
    "works",
    META,
    sa.Column("work", sa.Text, primary_key=True),
    sa.Column("packed", sa.LargeBinary, nullable=False),
    sa.Column("notes", sa.JSON, nullable=False),  # what was left out when it was packed
)
ENTRIES = sa.Table(
    "entries",
    META,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("lab", sa.Text, nullable=False),
    sa.Column("work", sa.Text, nullable=False),
    sa.Column("rules", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("beats", sa.Integer, nullable=False, default=0),
    sa.Column("result", sa.Text),
    sa.Column("finished_at", sa.Text),
)


@dataclass(frozen=True)
class Entry:
    """One grading. `done`: somebody has written its result."""

    name: str
    lab: str
    work: str
    rules: str
    seed: int
    done: bool


@dataclass(frozen=True)
class Answer:
    """How far an entry is: `beats` rise while somebody works on it; `result` is None until it is graded."""

    beats: int
    result: LabResult | None
    finished_at: str


def name_of(task: Task) -> str:
    words = (task.learner, task.lab, task.work, task.rules, str(task.repetition))
    return sha256("\0".join(words).encode()).hexdigest()


class Queue:
    """
    Raises:
        LabsError: there is no address, it cannot be understood, or nothing answers there.
    """

    def __init__(self, address: str) -> None:
        example = f"{ADDRESS}=postgresql://grader:…@db.example.org/grades"
        if not address:
            raise LabsError(f"{ADDRESS} is not set.", f"Set it to a database's address, such as {example}")
        try:
            self.engine = sa.create_engine(address, pool_pre_ping=True)
            if self.engine.dialect.name == "sqlite":
                sa.event.listen(self.engine, "connect", _let_writers_wait)
            META.create_all(self.engine)
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
            raise LabsError(
                f"{ADDRESS}: the queue cannot be reached ({str(error).splitlines()[0]}).",
                f"Set it to a database's address, such as {example}",
            ) from error

    def put(self, task: Task, seed: int, folder: Path) -> None:
        """Ask for a grading of the work in `folder`. What was asked before stays as it is, with its result."""
        entry = {
            "name": name_of(task), "lab": task.lab, "work": task.work, "rules": task.rules, "seed": seed
        }  # fmt: skip
        with self.engine.begin() as connection:
            there = connection.execute(sa.select(WORKS.c.work).where(WORKS.c.work == task.work)).first()
        if not there:
            packed, notes = pack(folder)
            with contextlib.suppress(sa.exc.IntegrityError), self.engine.begin() as connection:
                connection.execute(sa.insert(WORKS).values(work=task.work, packed=packed, notes=notes))
        with contextlib.suppress(sa.exc.IntegrityError), self.engine.begin() as connection:
            connection.execute(sa.insert(ENTRIES).values(**entry, beats=0))

    def entry(self, name: str) -> Entry:
        """
        Raises:
            LabsError: there is none of this name.
        """
        with self.engine.begin() as connection:
            row = connection.execute(sa.select(ENTRIES).where(ENTRIES.c.name == name)).mappings().first()
        if row is None:
            raise LabsError(f"the queue holds no entry {name}", "Give the same `labs grade` once more.")
        return Entry(name, row["lab"], row["work"], row["rules"], row["seed"], row["result"] is not None)

    def fetch(self, work: str, target: Path) -> list[str]:
        """Unpack handed-in work into the new folder `target`. Returns what was left out of it, and why."""
        with self.engine.begin() as connection:
            row = connection.execute(
                sa.select(WORKS.c.packed, WORKS.c.notes).where(WORKS.c.work == work)
            ).one()
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch) / "work.tar.gz"
            archive.write_bytes(row.packed)
            unpack(archive, target)
        return list(row.notes)

    def beat(self, names: Sequence[str]) -> None:
        """Somebody is at work on these."""
        with self.engine.begin() as connection:
            wanted = sa.update(ENTRIES).where(ENTRIES.c.name.in_(names), ENTRIES.c.result.is_(None))
            connection.execute(wanted.values(beats=ENTRIES.c.beats + 1))

    def answer(self, name: str, result: LabResult, finished_at: str) -> bool:
        """Write a result, durable when this returns. False if somebody was quicker: theirs stays."""
        with self.engine.begin() as connection:
            wanted = sa.update(ENTRIES).where(ENTRIES.c.name == name, ENTRIES.c.result.is_(None))
            done = connection.execute(wanted.values(result=result.to_json(), finished_at=finished_at))
        return done.rowcount == 1

    def look(self, names: Sequence[str]) -> dict[str, Answer]:
        """How far these entries are."""
        found: dict[str, Answer] = {}
        columns = (ENTRIES.c.name, ENTRIES.c.beats, ENTRIES.c.result, ENTRIES.c.finished_at)
        with self.engine.begin() as connection:
            for some in _parts(names, 500):
                for row in connection.execute(sa.select(*columns).where(ENTRIES.c.name.in_(some))):
                    result = LabResult.from_json(row.result, f"queue: {row.name}") if row.result else None
                    found[row.name] = Answer(row.beats, result, row.finished_at or "")
        return found

    def forget(self, names: Sequence[str]) -> None:
        """Drop entries, and the work that no other entry needs."""
        with self.engine.begin() as connection:
            for some in _parts(names, 500):
                connection.execute(sa.delete(ENTRIES).where(ENTRIES.c.name.in_(some)))
            connection.execute(sa.delete(WORKS).where(WORKS.c.work.not_in(sa.select(ENTRIES.c.work))))


def pack(folder: Path) -> tuple[bytes, list[str]]:
    """A work folder as a compressed tar: what the grader itself would take from it; and notes on what it would not."""
    made = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        staged = Path(scratch) / "work"
        notes = collect.stage(folder, staged)
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            archive.add(staged, "")
    return made.getvalue(), notes


def _parts(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _let_writers_wait(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")
