"""Many machines: a cohort's gradings go through a shared queue and a Prefect work pool, and come back.

Some entries of the queue make one flow run. A worker may die, come late, or do what another has done: entries without a
result are asked for again when their flow run has ended, or when nobody has been heard of for a while; a result is
written once. Killed at any time and started again, this finds in the queue what was graded meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

from labs.cohort.queue import REFUSED, Answer, Queue, name_of
from labs.cohort.run import Job, broken
from labs.cohort.store import Store
from labs.errors import LabsError
from labs.results import LabResult

LEAST, MOST = (
    8,
    64,
)  # entries of one flow run: they share a warm grader, and one start, one end at Prefect's server
RUNS = 200  # flow runs that wait or run at a time
ATTEMPTS = 4
REFUSALS = 10  # of workers, one after the other, with no result in between
SILENCE_SECONDS = float(os.environ.get("LABS_SILENCE_SECONDS", "60"))
TO_BEGIN = 5  # times that long for a worker that has taken a flow run to begin it: a container takes its time
LOOK_SECONDS = 1.0


Answered = TypeVar("Answered")


class Pool(Protocol):
    """Where flow runs go."""

    def start(self, names: Sequence[str]) -> UUID: ...

    def states(self, runs: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
        """By flow run, a word, and what went wrong with one that has ended, if anything.

        `waiting`: no worker has taken it yet. `starting`: one has, and has not begun. `running`. `ended`. `refused`:
        its machine must not grade this.
        """
        ...

    def cancel(self, run: UUID) -> None: ...


@dataclass
class Asked:
    """One flow run, and what it is to grade. `heard` is when something of it was last seen to move."""

    jobs: list[Job]
    heard: float
    word: str = "waiting"
    beats: int = -1


class Farm:
    """Grades through `pool` until every job has a result in `store`."""

    def __init__(
        self,
        queue: Queue,
        pool: Pool,
        store: Store,
        done: Callable[[Job, LabResult], None],
        say: Callable[[str], None],
    ) -> None:
        self.queue, self.pool, self.store, self.done, self.say = queue, pool, store, done, say
        self.asked: dict[UUID, Asked] = {}
        self.attempts: dict[str, int] = {}
        self.refused: list[str] = []

    def grade(self, jobs: Sequence[Job]) -> None:
        """
        Raises:
            LabsError: workers refuse, and none grades. Nothing is marked by that.
        """
        waiting = _parts(jobs)
        try:
            while self._ask(waiting) or self.asked:
                self._look()
                time.sleep(LOOK_SECONDS)
        finally:
            for run in self.asked:
                self.pool.cancel(run)

    def _ask(self, waiting: Iterator[list[Job]]) -> bool:
        """Fill up the pool; whether anything was asked for."""
        before = len(self.asked)
        while len(self.asked) < RUNS and (some := next(waiting, None)):
            for job in some:
                self.queue.put(job.task, job.seed, job.folder)
            self._start(self._take(some))
        return len(self.asked) > before

    def _start(self, jobs: list[Job]) -> None:
        if jobs:
            names = [name_of(job.task) for job in jobs]
            for name in names:
                self.attempts[name] = self.attempts.get(name, 0) + 1
            self.asked[self.pool.start(names)] = Asked(jobs, time.monotonic())

    def _look(self) -> None:
        states = self.pool.states(list(self.asked))
        for run, asked in list(self.asked.items()):
            # Asked in this order: a run that had ended by then has written everything that it ever will.
            word, trouble = states.get(run, ("ended", "Prefect knows nothing of it"))
            count = len(asked.jobs)
            beats, asked.jobs = self._take_and_count(asked.jobs)
            moved = (word, beats) != (asked.word, asked.beats) or len(asked.jobs) < count
            asked.word, asked.beats = word, beats
            if moved or word == "waiting":
                asked.heard = time.monotonic()
            patience = SILENCE_SECONDS * (TO_BEGIN if word == "starting" else 1)
            silent = time.monotonic() - asked.heard > patience
            if not asked.jobs:
                del self.asked[run]
            elif word == "refused":
                del self.asked[run]
                self._refuse(asked.jobs, trouble)
                self._start(asked.jobs)
            elif word == "ended" or silent:
                del self.asked[run]
                if word != "ended":
                    trouble = f"nothing was heard of it for {patience:g} s"
                    self.pool.cancel(run)
                self.say(f"A worker left {len(asked.jobs)} gradings undone ({trouble})")
                for some in _quarters(self._give_up(asked.jobs)):
                    self._start(some)

    def _refuse(self, jobs: list[Job], trouble: str) -> None:
        """A machine that must not grade says nothing about the work: it is no attempt."""
        for job in jobs:
            self.attempts[name_of(job.task)] -= 1
        if trouble not in self.refused:
            self.say(f"A worker refuses to grade ({trouble})")
        self.refused.append(trouble)
        if len(self.refused) == REFUSALS:
            raise LabsError(
                f"Workers refused {REFUSALS} times, and none graded meanwhile: {trouble}",
                "Mend these workers, then give the same command: what was graded is kept.",
            )

    def _take(self, jobs: list[Job]) -> list[Job]:
        return self._take_and_count(jobs)[1]

    def _take_and_count(self, jobs: list[Job]) -> tuple[int, list[Job]]:
        """Keep what is graded by now; the sum of all beats, and the jobs that are left."""
        found, left = self.queue.look([name_of(job.task) for job in jobs]), []
        for job in jobs:
            answer = found.get(name_of(job.task), Answer(0, None, ""))
            if answer.result is None:
                left.append(job)
            else:
                self._keep(job, answer.result, answer.finished_at)
        return sum(answer.beats for answer in found.values()), left

    def _give_up(self, jobs: list[Job]) -> list[Job]:
        """The jobs that are worth another attempt; the others are our fault."""
        again = [job for job in jobs if self.attempts[name_of(job.task)] < ATTEMPTS]
        for job in jobs:
            if job not in again:
                words = f"{ATTEMPTS} workers ended, or fell silent, before it was graded; see their logs in Prefect"
                now = datetime.now(UTC).isoformat(timespec="seconds")
                self._keep(job, broken(job.lab, job.seed, words), now)
        return again

    def _keep(self, job: Job, result: LabResult, finished_at: str) -> None:
        self.store.keep(job.task, result, finished_at)
        self.refused.clear()
        self.done(job, result)


class PrefectPool:
    """A work pool of the Prefect server that PREFECT_API_URL names.

    Raises:
        LabsError: there is no such server, or no such pool.
    """

    def __init__(self, name: str, tier: str, least: str) -> None:
        from prefect.client.orchestration import get_client
        from prefect.exceptions import ObjectNotFound
        from prefect.types.entrypoint import EntrypointType

        from labs.cohort.flow import grade_entries

        self.given = {"tier": tier, "least": least}
        self.client: Any = get_client(sync_client=True).__enter__()
        try:
            self.client.read_work_pool(name)
        except ObjectNotFound as error:
            raise LabsError(
                f"--pool {name}: Prefect has no such work pool.",
                f"Make it: prefect work-pool create {name} --type process",
            ) from error
        except Exception as error:
            raise LabsError(
                f"Prefect does not answer ({type(error).__name__}: {error}).",
                "Set PREFECT_API_URL to its address.",
            ) from error
        made: Any = grade_entries.to_deployment(
            name, work_pool_name=name, entrypoint_type=EntrypointType.MODULE_PATH
        )
        self.deployment = made.apply()

    def start(self, names: Sequence[str]) -> UUID:
        given = {"names": list(names), **self.given}
        run = patiently(
            lambda: self.client.create_flow_run_from_deployment(self.deployment, parameters=given)
        )
        return UUID(str(run.id))

    def states(self, runs: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        found: dict[UUID, tuple[str, str]] = {}
        for start in range(0, len(runs), 200):
            some = FlowRunFilter(id=FlowRunFilterId(any_=list(runs[start : start + 200])))
            read = partial(self.client.read_flow_runs, flow_run_filter=some, limit=200)
            for run in patiently(read):
                found[run.id] = (_word(run.state), (run.state and run.state.message) or "it ended")
        return found

    def cancel(self, run: UUID) -> None:
        from httpx import HTTPError
        from prefect.states import Cancelled

        with contextlib.suppress(HTTPError):  # a run that is done all the same does no harm
            self.client.set_flow_run_state(
                run, Cancelled(message="labs grade no longer waits for it"), force=True
            )


def patiently(ask: Callable[[], Answered]) -> Answered:
    """The answer of a Prefect server, which may be away for a while (a restart, say).

    Raises:
        LabsError: it was away for SILENCE_SECONDS.
    """
    from httpx import HTTPError

    began = time.monotonic()
    while True:
        try:
            return ask()
        except HTTPError as error:
            if time.monotonic() - began > SILENCE_SECONDS:
                raise LabsError(
                    f"Prefect does not answer any more ({type(error).__name__}: {error}).",
                    "When it is back, give the same command: what was graded is kept.",
                ) from error
        time.sleep(LOOK_SECONDS)


def _word(state: Any) -> str:
    if state is None or state.is_scheduled():
        return "waiting"
    if state.is_pending():
        return "starting"
    if state.name == REFUSED:
        return "refused"
    return "ended" if state.is_final() else "running"


def _quarters(jobs: list[Job]) -> Iterator[list[Job]]:
    """In the last of its attempts a grading that ends its worker stands alone, and takes no other with it."""
    size = -(-len(jobs) // 4)
    for start in range(0, len(jobs), size or 1):
        yield jobs[start : start + size]


def at_once(jobs: int) -> int:
    """Entries of one flow run: few, so that all machines share a small cohort; more of a large one."""
    return min(MOST, max(LEAST, jobs // (10 * RUNS)))


def _parts(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Jobs of one lab together, a few at a time."""
    size, some = at_once(len(jobs)), list[Job]()
    for job in jobs:
        if some and (len(some) == size or some[0].lab is not job.lab):
            yield some
            some = []
        some.append(job)
    if some:
        yield some
