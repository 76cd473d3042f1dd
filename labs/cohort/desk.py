"""Grades a cohort: finds the work, grades what is not graded yet, writes every table, report and page."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from labs.catalog import Catalog, Lab
from labs.cohort import (
    again,
    arrivals,
    clones,
    compared,
    exports,
    gradebook,
    out_folder,
    page,
    person,
    reports,
    similar,
)
from labs.cohort.gradebook import Mark
from labs.cohort.late import LatePolicy
from labs.cohort.marks import Key, collect
from labs.cohort.run import Estimate, Job, below, grade, must_hold, outstanding, plan, stands
from labs.cohort.store import Store, Task
from labs.cohort.submissions import Submission, find
from labs.errors import LabsError
from labs.grading import Grader
from labs.grading.grader import hidden_checks
from labs.machine import EMBEDDED
from labs.results import LabResult, State
from labs.workspace import write_whole

UNPACKED = "unpacked"


@dataclass(frozen=True)
class Order:
    """What an instructor asked for.

    `seeds`: by lab, where it is not the public one. `least`: the lowest isolation rung that is acceptable. `again`:
    LEARNER, LAB or LEARNER/LAB to grade once more. `since`: what was handed in before is left as it is. `pool`: a
    Prefect work pool whose machines grade, in place of this one. `zone`: of times that come without an offset.
    """

    source: Path
    out: Path
    labs: tuple[Lab, ...]
    tier: str = EMBEDDED
    workers: int = 1
    repeat: int = 1
    seeds: Mapping[str, int] = field(default_factory=dict)
    hidden: Path | None = None
    least: str = "locked"
    zone: tzinfo | None = None
    policy: LatePolicy | None = None
    since: datetime | None = None
    again: tuple[str, ...] = ()
    rubric: Path | None = None
    pool: str = ""


@dataclass(frozen=True)
class Graded:
    """What came of it.

    `broken`: learner and lab of what broke by our fault, now or before. `news`: what is missing against the last run.
    """

    marks: tuple[Mark, ...]
    done: int
    kept: int
    broken: frozenset[Key]
    news: tuple[str, ...]
    written: tuple[Path, ...]


class Screen:
    """Hears how far it is. The command draws it; here nothing is drawn."""

    def say(self, words: str) -> None: ...

    def begin(self, total: int, kept: int) -> None: ...

    def graded(self, job: Job, result: LabResult, estimate: Estimate) -> None: ...


def grade_cohort(catalog: Catalog, order: Order, screen: Screen) -> Graded:
    """Grade all that is not graded yet, then write everything.

    Raises:
        LabsError: there is nothing to grade, an option's file is wrong, isolation is less than `order.least`, or
            `order.out` is in use or cannot be written.
    """
    _hidden_checks_are_of_labs(catalog, order.hidden)
    criteria = person.read_rubric(order.rubric) if order.rubric else ()
    with out_folder.held(order.out):
        given = person.read_marks(order.out / person.FILE, criteria)
        return _grade_cohort(catalog, order, screen, criteria, given)


def _grade_cohort(
    catalog: Catalog,
    order: Order,
    screen: Screen,
    criteria: tuple[person.Criterion, ...],
    given: Mapping[Key, Mapping[str, float]],
) -> Graded:
    store = Store(order.out / out_folder.STORE)
    submissions = hand_ins(order, screen)
    early = {one.learner for one in submissions if order.since and one.at and one.at < order.since}
    planned, missing = plan(submissions, order.labs, order.tier, order.seeds, order.repeat, order.hidden)
    jobs = [job for job in planned if job.task.learner not in early]
    once_more = again.named(order.again, jobs, submissions, order.labs)
    todo = outstanding(jobs, store, order.least, once_more)
    _say_what_is_repeated(todo, once_more, store, order.least, screen)
    screen.begin(len(todo), len(jobs) - len(todo))
    broken: dict[Key, str] = {}
    done = _telling(screen, todo, broken)
    if todo and order.pool:
        _grade_elsewhere(order, todo, once_more, store, screen, done)
    elif todo:
        _grade(catalog, order, todo, store, screen, done)
    for learner, slug in {(task.learner, task.lab) for task in once_more}:
        store.drop_repetitions(learner, slug, order.repeat)
    marks = collect(order.labs, submissions, missing, early, broken, order.policy, given, store)
    news = (
        *arrivals.said(submissions, marks, order.policy, order.zone),
        *compared.with_last_run(order.out, marks, criteria, store),
    )
    screen.say("Writing the gradebook, the reports and the pages")
    written = _write(order, marks, planned, criteria)
    ours = {(mark.learner, mark.lab) for mark in marks if mark.state == State.OUR_FAULT} | broken.keys()
    return Graded(tuple(marks), len(todo), len(jobs) - len(todo), frozenset(ours), news, tuple(written))


def _say_what_is_repeated(
    todo: Sequence[Job], once_more: set[Task], store: Store, least: str, screen: Screen
) -> None:
    """Kept results that do not stand."""
    kept = [store.result(job.task) for job in todo if job.task not in once_more]
    low = sum(result is not None and below(result, least) for result in kept)
    ours = sum(result is not None and result.state is State.OUR_FAULT for result in kept)
    if low:
        screen.say(f"{low} kept results are of a rung below `{least}`: graded again")
    if ours:
        screen.say(f"{ours} kept results broke by our fault: graded again")


def hand_ins(order: Order, screen: Screen) -> list[Submission]:
    """Everybody's work: clones of a list, or what lies in a folder or an archive."""
    scratch = order.out / UNPACKED
    if order.source.suffix.lower() == ".csv":
        listed = clones.read_list(order.source, order.out / "clones", order.zone)
        (order.out / "clones").mkdir(mode=0o700, exist_ok=True)
        screen.say(f"Cloning {len(listed)} repositories")
        return clones.clone(listed)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    screen.say("Unpacking the submissions")
    return find(order.source.resolve(), scratch.resolve(), order.zone or UTC)


def read_seeds(path: Path, labs: Iterable[Lab]) -> dict[str, int]:
    """A TOML file with a line for each lab: `a_lab = 4711`.

    Raises:
        LabsError: it cannot be read, or names no lab of the course, or a seed is no whole number above 0.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LabsError(
            f"{path}: cannot be read ({error}).", "Write one line for each lab: a_lab = 4711"
        ) from error
    known = {lab.slug for lab in labs}
    for slug, seed in found.items():
        if slug not in known:
            raise LabsError(f"{path}: `{slug}` is no lab.", "Write a lab's name, as `labs list` shows it.")
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 1:
            raise LabsError(f"{path}: the seed of {slug} is {seed!r}.", "Write a whole number above 0.")
    return found


def _hidden_checks_are_of_labs(catalog: Catalog, hidden: Path | None) -> None:
    """A folder that is none of a lab would be checks that nobody runs."""
    for folder in sorted(hidden.iterdir()) if hidden else ():
        if folder.name.startswith((".", "__")):
            continue
        if not folder.is_dir() or folder.name != catalog.lab(folder.name).slug:
            raise LabsError(
                f"{folder}: not the name of a lab.", "Put your checks into --hidden/LAB/test_*.py."
            )
        if not hidden_checks(hidden, folder.name):
            raise LabsError(f"{folder}: no checks in it.", "Call their files test_*.py.")


Done = Callable[[Job, LabResult], None]


def _grade(catalog: Catalog, order: Order, todo: list[Job], store: Store, screen: Screen, done: Done) -> None:
    warm = dict.fromkeys(name for job in todo for name in job.lab.warm)
    with Grader(catalog.root, warm=warm, tier=order.tier, hidden=order.hidden) as grader:
        screen.say("Starting the grader")
        must_hold(grader, order.least)
        grade(todo, grader, store, order.workers, done)


def _grade_elsewhere(
    order: Order, todo: list[Job], once_more: set[Task], store: Store, screen: Screen, done: Done
) -> None:
    """On the machines of a Prefect work pool."""
    from labs.cohort.farm import Farm, PrefectPool
    from labs.cohort.queue import ADDRESS, Queue, name_of

    queue = Queue(os.environ.get(ADDRESS, ""))
    screen.say(f"Asking Prefect for the work pool {order.pool}")
    pool = PrefectPool(order.pool, order.tier, order.least)
    answers = queue.look([name_of(job.task) for job in todo])
    useless = {name for name, one in answers.items() if one.result and not stands(one.result, order.least)}
    queue.forget([*useless, *map(name_of, once_more)])
    screen.say(f"Waiting for workers of the pool {order.pool}")
    Farm(queue, pool, store, done, screen.say).grade(todo)


def _telling(screen: Screen, todo: Sequence[Job], broken: dict[Key, str]) -> Done:
    """Draws each result, and notes in `broken` which broke by our fault, and why."""
    estimate = Estimate(len(todo))

    def done(job: Job, result: LabResult) -> None:
        because = [check.because for check in result.checks if check.state is State.OUR_FAULT]
        if because:
            broken[job.task.learner, job.lab.slug] = because[0] or "no reason was given"
        estimate.one_more()
        screen.graded(job, result, estimate)

    return done


def _write(
    order: Order, marks: Sequence[Mark], jobs: Sequence[Job], criteria: tuple[person.Criterion, ...]
) -> list[Path]:
    hidden = any(check.hidden for mark in marks if mark.result for check in mark.result.checks)
    alike = [one for lab in order.labs for one in _alike(lab, jobs)]
    written = gradebook.write(order.out, marks)
    if criteria:
        written.append(person.write_form(order.out / person.FILE, marks, criteria))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_whole(order.out / "cohort.html", page.cohort(order.source.stem, marks, alike, now))
    written.append(order.out / "cohort.html")
    written += reports.write(order.out / "learners", marks, hidden)
    written += exports.write(order.out / "exports", [mark for mark in marks if not mark.left_out])
    out_folder.private(order.out, written)
    return written


def _alike(lab: Lab, jobs: Sequence[Job]) -> list[similar.Alike]:
    works: dict[str, Path] = {job.task.learner: job.folder for job in jobs if job.lab is lab}
    return similar.alike(lab.slug, works, (lab.starter, lab.solution))
