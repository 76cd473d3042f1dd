"""Grades what has not been graded yet, on all cores, and keeps each result before it is told.

Killed at any time and started again, it ends with the same results and grades nothing twice: what was kept stays, what
was not kept is graded again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from labs.catalog import Lab
from labs.cohort.store import Store, Task
from labs.cohort.submissions import Submission
from labs.errors import LabsError
from labs.fingerprint import of_folder, of_rules
from labs.results import RUNGS, CheckResult, LabResult, State


class Grades(Protocol):
    def grade(self, lab: Lab, folder: Path, seed: int | None = None) -> LabResult: ...


class Trusted(Protocol):
    def trusted(self) -> str: ...


@dataclass(frozen=True)
class Job:
    """One grading to do."""

    task: Task
    lab: Lab
    folder: Path
    seed: int


@dataclass(frozen=True)
class Missing:
    """A lab of which a learner handed nothing in, or nothing that can be read."""

    learner: str
    lab: Lab
    error: str = ""


def plan(
    submissions: Sequence[Submission],
    labs: Sequence[Lab],
    tier: str,
    seeds: Mapping[str, int],
    repeat: int = 1,
    hidden: Path | None = None,
) -> tuple[list[Job], list[Missing]]:
    """All gradings of a cohort, lab by lab, and what there is nothing to grade of.

    Args:
        seeds: by lab; a lab that is not in it is graded with its public seed.
        repeat: how many times each is graded, to find what is flaky.
        hidden: an instructor's own checks; when they change, all is graded again.
    """
    jobs, missing = [], []
    for lab in labs:
        seed = seeds.get(lab.slug, lab.seed)
        rules = rules_of(lab, tier, seed, hidden)
        for one in submissions:
            place = one.work(lab, only=len(labs) == 1)
            if place is None:
                missing.append(Missing(one.learner, lab, one.error))
                continue
            work = of_folder(place)
            for repetition in range(repeat):
                jobs.append(Job(Task(one.learner, lab.slug, work, rules, repetition), lab, place, seed))
    return jobs, missing


def rules_of(lab: Lab, tier: str, seed: int, hidden: Path | None) -> str:
    """A fingerprint of all that a mark depends on besides the work: the same on every machine that may grade it."""
    own = of_folder(hidden / lab.slug) if hidden and (hidden / lab.slug).is_dir() else ""
    return sha256(f"{of_rules(lab)} {tier} {seed} {own}".encode()).hexdigest()


def outstanding(
    jobs: Iterable[Job], store: Store, least: str = RUNGS[0], again: Collection[Task] = ()
) -> list[Job]:
    """Those without a kept result that stands, and those of `again`."""
    return [
        job
        for job in jobs
        if job.task in again or (kept := store.result(job.task)) is None or not stands(kept, least)
    ]


def stands(result: LabResult, least: str) -> bool:
    """Whether nothing of it broke by our fault, and nothing ran below the rung `least`."""
    return result.state is not State.OUR_FAULT and not below(result, least)


def below(result: LabResult, least: str) -> bool:
    """Whether something of the learner's ran, and on a lower rung than `least`."""
    return bool(result.isolation.layers) and RUNGS.index(result.isolation.rung) < RUNGS.index(least)


def grade(
    jobs: Sequence[Job], grader: Grades, store: Store, workers: int, done: Callable[[Job, LabResult], None]
) -> None:
    """Grade all of them. `done` hears of each when it is kept, one at a time, from the caller's thread.

    On Ctrl-C nothing new begins; what is under way is given up.
    """
    waiting: Iterator[Job] = iter(jobs)
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="grade")
    running: dict[Future[LabResult], Job] = {}
    try:
        while True:
            while len(running) < workers and (job := next(waiting, None)):
                running[pool.submit(safely, grader, job.lab, job.folder, job.seed)] = job
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                result = future.result()
                store.keep(job.task, result, datetime.now(UTC).isoformat(timespec="seconds"))
                done(job, result)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def must_hold(grader: Trusted, least: str) -> None:
    """
    Raises:
        LabsError: this machine holds submissions at a lower rung than `least`.
    """
    held = grader.trusted()
    if RUNGS.index(held) < RUNGS.index(least):
        raise LabsError(
            f"This machine holds submissions at the rung `{held}`, and you asked for `{least}`.",
            f"See docs/security.md and `labs doctor`; or accept it: --isolation '{held}'.",
        )


def safely(grader: Grades, lab: Lab, folder: Path, seed: int) -> LabResult:
    """One result, whatever happens: a broken grading is our fault, and the next one goes on."""
    try:
        return grader.grade(lab, folder, seed=seed)
    except LabsError as error:
        return broken(lab, seed, " ".join(f"{error.message} {error.next_step}".split()))
    except Exception as error:
        return broken(lab, seed, f"{type(error).__name__}: {error}")


def broken(lab: Lab, seed: int, because: str) -> LabResult:
    """The result of a grading that did not come about, by our fault."""
    check = CheckResult("grading", f"the grading of {lab.slug}", lab.points, State.OUR_FAULT, because=because)
    return LabResult(lab.slug, seed, (check,))


class Estimate:
    """How long it will take: from the pace of the last results, not of the first."""

    WINDOW = 40

    def __init__(self, total: int, now: Callable[[], float] = time.monotonic) -> None:
        self.total, self.now = total, now
        self._ends = [now()]
        self._lock = threading.Lock()

    @property
    def done(self) -> int:
        return len(self._ends) - 1

    def one_more(self) -> None:
        with self._lock:
            self._ends.append(self.now())

    @property
    def seconds_left(self) -> float | None:
        """None before there is anything to go by."""
        with self._lock:
            recent = self._ends[-self.WINDOW - 1 :]
        if len(recent) < 2:
            return None
        return (recent[-1] - recent[0]) / (len(recent) - 1) * (self.total - self.done)


def flaky(store: Store) -> dict[tuple[str, str], tuple[str, ...]]:
    """By (learner, lab): checks that did not come out the same in every repetition."""
    states: dict[tuple[str, str], dict[str, set[State]]] = {}
    for learner, lab, _, _, result in store.all():
        of_lab = states.setdefault((learner, lab), {})
        for check in result.checks:
            of_lab.setdefault(check.name, set()).add(check.state)
    return {
        key: names
        for key, checks in states.items()
        if (names := tuple(name for name, seen in checks.items() if len(seen) > 1))
    }
