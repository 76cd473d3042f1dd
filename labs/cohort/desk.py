"""Grades a cohort: finds the work, grades what is not graded yet, writes every table, report and page."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from labs.catalog import Catalog, Lab
from labs.cohort import clones, exports, gradebook, page, person, reports, similar
from labs.cohort.gradebook import Mark
from labs.cohort.late import IN_TIME, LatePolicy
from labs.cohort.run import Estimate, Job, Missing, flaky, grade, must_hold, outstanding, plan
from labs.cohort.store import Store
from labs.cohort.submissions import Submission, find
from labs.errors import LabsError
from labs.grading import Grader
from labs.grading.grader import hidden_checks
from labs.machine import EMBEDDED
from labs.results import LabResult, State
from labs.workspace import write_whole

STORE = "results.sqlite"
UNPACKED = "unpacked"


@dataclass(frozen=True)
class Order:
    """What an instructor asked for.

    `seeds`: by lab, where it is not the public one. `least`: the lowest isolation rung that is acceptable. `again`:
    learners and labs of which earlier results are dropped. `since`: what was handed in before is left as it is. `pool`:
    a Prefect work pool whose machines grade, in place of this one.
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
    policy: LatePolicy | None = None
    since: datetime | None = None
    again: tuple[str, ...] = ()
    rubric: Path | None = None
    pool: str = ""


@dataclass(frozen=True)
class Graded:
    """What came of it."""

    marks: tuple[Mark, ...]
    done: int
    kept: int
    written: tuple[Path, ...]

    @property
    def our_fault(self) -> int:
        return sum(mark.result is not None and mark.result.state is State.OUR_FAULT for mark in self.marks)


class Screen:
    """Hears how far it is. The command draws it; here nothing is drawn."""

    def say(self, words: str) -> None: ...

    def begin(self, total: int, kept: int) -> None: ...

    def graded(self, job: Job, result: LabResult, estimate: Estimate) -> None: ...


def grade_cohort(catalog: Catalog, order: Order, screen: Screen) -> Graded:
    """Grade all that is not graded yet, then write everything.

    Raises:
        LabsError: there is nothing to grade, an option's file is wrong, or isolation is less than `order.least`.
    """
    _hidden_checks_are_of_labs(catalog, order.hidden)
    criteria = person.read_rubric(order.rubric) if order.rubric else ()
    given = person.read_marks(order.out / person.FILE, criteria)
    store = Store(order.out / STORE)
    submissions = hand_ins(order, screen)
    for name in order.again:
        _forget(store, name, submissions, order.labs)
    chosen = [one for one in submissions if not order.since or not one.at or one.at >= order.since]
    jobs, missing = plan(chosen, order.labs, order.tier, order.seeds, order.repeat, order.hidden)
    todo = outstanding(jobs, store)
    screen.begin(len(todo), len(jobs) - len(todo))
    if todo and order.pool:
        _grade_elsewhere(order, todo, store, screen)
    elif todo:
        _grade(catalog, order, todo, store, screen)
    marks = _marks(order, submissions, jobs, missing, store, given)
    screen.say("Writing the gradebook, the reports and the pages")
    written = _write(order, marks, jobs, criteria)
    return Graded(tuple(marks), len(todo), len(jobs) - len(todo), tuple(written))


def hand_ins(order: Order, screen: Screen) -> list[Submission]:
    """Everybody's work: clones of a list, or what lies in a folder or an archive."""
    scratch = order.out / UNPACKED
    if order.source.suffix == ".csv":
        listed = clones.read_list(order.source, order.out / "clones")
        screen.say(f"Cloning {len(listed)} repositories")
        return clones.clone(listed)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    screen.say("Unpacking the submissions")
    return find(order.source.resolve(), scratch.resolve())


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


def _forget(store: Store, name: str, submissions: Sequence[Submission], labs: Sequence[Lab]) -> None:
    if name in {lab.slug for lab in labs}:
        store.forget(lab=name)
    elif name in {one.learner for one in submissions}:
        store.forget(learner=name)
    else:
        raise LabsError(
            f"--again {name}: no lab and no learner of this cohort.", "See gradebook.csv for the names."
        )


def _grade(catalog: Catalog, order: Order, todo: list[Job], store: Store, screen: Screen) -> None:
    warm = dict.fromkeys(name for job in todo for name in job.lab.warm)
    with Grader(catalog.root, warm=warm, tier=order.tier, hidden=order.hidden) as grader:
        screen.say("Starting the grader")
        must_hold(grader, order.least)
        grade(todo, grader, store, order.workers, _telling(screen, todo))


def _grade_elsewhere(order: Order, todo: list[Job], store: Store, screen: Screen) -> None:
    """On the machines of a Prefect work pool."""
    from labs.cohort.farm import Farm, PrefectPool
    from labs.cohort.queue import ADDRESS, Queue, name_of

    queue = Queue(os.environ.get(ADDRESS, ""))
    queue.forget([name_of(job.task) for job in todo if {job.task.learner, job.lab.slug} & set(order.again)])
    screen.say(f"Asking Prefect for the work pool {order.pool}")
    pool = PrefectPool(order.pool, order.tier, order.least)
    screen.say(f"Waiting for workers of the pool {order.pool}")
    Farm(queue, pool, store, _telling(screen, todo), screen.say).grade(todo)


def _telling(screen: Screen, todo: Sequence[Job]) -> Callable[[Job, LabResult], None]:
    estimate = Estimate(len(todo))

    def done(job: Job, result: LabResult) -> None:
        estimate.one_more()
        screen.graded(job, result, estimate)

    return done


def _marks(
    order: Order,
    submissions: Sequence[Submission],
    jobs: Sequence[Job],
    missing: Sequence[Missing],
    store: Store,
    given: Mapping[tuple[str, str], Mapping[str, float]],
) -> list[Mark]:
    """One for each learner and lab, in the order of the roadmap. What `since` left out keeps its earlier mark."""
    kept = {
        (learner, lab): (at, result) for learner, lab, repetition, at, result in store.all() if not repetition
    }
    unread = {(one.learner, one.lab.slug): one.error for one in missing}
    unsteady = flaky(store)
    most = {lab.slug: lab.points for lab in order.labs}
    for (_, slug), (_, found) in kept.items():
        if slug in most:
            most[slug] = max(most[slug], found.possible)
    marks = []
    for lab in order.labs:
        for one in submissions:
            key = (one.learner, lab.slug)
            at, result = ("", None) if key in unread else kept.get(key, ("", None))
            late = order.policy.judge(one.at, one.late) if order.policy and result else IN_TIME
            mark = Mark(
                one.learner, one.name, lab.slug, most[lab.slug], result, unread.get(key, ""), at, late
            )
            marks.append(replace(mark, flaky=unsteady.get(key, ()), person=given.get(key, {})))
    return marks


def _write(
    order: Order, marks: Sequence[Mark], jobs: Sequence[Job], criteria: tuple[person.Criterion, ...]
) -> list[Path]:
    hidden = any(check.hidden for mark in marks if mark.result for check in mark.result.checks)
    pairs = [pair for lab in order.labs for pair in _pairs(lab, jobs)]
    written = gradebook.write(order.out, marks)
    if criteria:
        written.append(person.write_form(order.out / person.FILE, marks, criteria))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_whole(order.out / "cohort.html", page.cohort(order.source.stem, marks, pairs, now))
    written.append(order.out / "cohort.html")
    written += reports.write(order.out / "learners", marks, hidden)
    written += exports.write(order.out / "exports", marks)
    return written


def _pairs(lab: Lab, jobs: Sequence[Job]) -> list[similar.Pair]:
    works: dict[str, Path] = {job.task.learner: job.folder for job in jobs if job.lab is lab}
    return similar.pairs(lab.slug, works, (lab.starter,))
