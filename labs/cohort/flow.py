"""What a worker of a Prefect work pool runs: it grades some entries of the queue, in the sandbox of its own machine."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from labs import catalog as catalogs
from labs.catalog import Catalog
from labs.cohort.queue import ADDRESS, REFUSED, Entry, Queue
from labs.cohort.run import must_hold, rules_of, safely
from labs.errors import LabsError
from labs.grading import Grader
from labs.machine import cores
from labs.results import LabResult

HIDDEN = "LABS_HIDDEN"  # where a machine keeps the instructor's own checks
BEAT_SECONDS = 5.0


@flow(name="labs-grade", persist_result=False)
def grade_entries(names: list[str], tier: str, least: str) -> int | State[int]:
    """Grade what nobody has graded yet of these entries; returns how many, or the state REFUSED with the reason:
    this machine reaches no queue, has another version of the course, or no isolation of the rung `least`."""
    try:
        return _grade_all(names, tier, least)
    except LabsError as error:
        return Failed(name=REFUSED, message=" ".join(f"{error.message} {error.next_step}".split()))


def _grade_all(names: Sequence[str], tier: str, least: str) -> int:
    queue = Queue(os.environ.get(ADDRESS, ""))
    entries = [entry for entry in map(queue.entry, names) if not entry.done]
    if not entries:
        return 0
    course = catalogs.load(catalogs.ROOT)
    hidden = Path(os.environ[HIDDEN]) if os.environ.get(HIDDEN) else None
    for entry in entries:
        _same_rules(course, entry, tier, hidden)
    warm = dict.fromkeys(name for entry in entries for name in course.lab(entry.lab).warm)
    with _beating(queue, names), Grader(course.root, warm=warm, tier=tier, hidden=hidden) as grader:
        must_hold(grader, least)
        with ThreadPoolExecutor(cores()) as pool:
            return sum(pool.map(lambda entry: _grade(queue, course, grader, entry), entries))


def _grade(queue: Queue, course: Catalog, grader: Grader, entry: Entry) -> bool:
    if queue.entry(entry.name).done:
        return False
    with tempfile.TemporaryDirectory(prefix="labs-work-", ignore_cleanup_errors=True) as scratch:
        notes = queue.fetch(entry.work, Path(scratch) / "work")
        result = safely(grader, course.lab(entry.lab), Path(scratch) / "work", entry.seed)
    return queue.answer(entry.name, _with(result, notes), datetime.now(UTC).isoformat(timespec="seconds"))


def _with(result: LabResult, notes: Sequence[str]) -> LabResult:
    return replace(result, notes=(*notes, *result.notes))


def _same_rules(course: Catalog, entry: Entry, tier: str, hidden: Path | None) -> None:
    lab = course.lab(entry.lab)
    if rules_of(lab, tier, entry.seed, hidden) != entry.rules:
        raise LabsError(
            f"{lab.slug}: this machine would grade by other rules.",
            f"Give it the same course, Python and requirements.lock, and the same checks in {HIDDEN}.",
        )


@contextmanager
def _beating(queue: Queue, names: Sequence[str]) -> Iterator[None]:
    """Let the queue know, all the time, that somebody is at work on these."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            queue.beat(names)

    thread = threading.Thread(target=beat, daemon=True)
    queue.beat(names)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
