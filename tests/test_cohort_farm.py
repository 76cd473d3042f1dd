"""Many machines: nothing is lost or counted twice, whatever becomes of the workers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psutil
import pytest
from faulty import GOOD, make_lab, make_work

from labs import catalog
from labs.cohort import farm as farms
from labs.cohort.farm import ATTEMPTS, REFUSALS, Farm
from labs.cohort.queue import REFUSED, Queue, name_of
from labs.cohort.run import Job, plan
from labs.cohort.store import Store, Task
from labs.cohort.submissions import find
from labs.errors import LabsError
from labs.machine import EMBEDDED, LOCAL
from labs.results import CheckResult, LabResult, State
from labs.services import Supervisor
from labs.services.kinds import KINDS

LAB = next(lab for lab in catalog.load(catalog.ROOT).labs if lab.files)
TASK = Task("asha", LAB.slug, "work-1", "rules-1")
PASSED = LabResult(LAB.slug, 7, (CheckResult("one", "one", 5, State.PASSED),))
FAILED = LabResult(LAB.slug, 7, (CheckResult("one", "one", 5, State.FAILED),))


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(f"sqlite:///{tmp_path}/queue.sqlite")


def handed_in(folder: Path, text: str = "good") -> Path:
    folder.mkdir(parents=True)
    (folder / "run.sh").write_text(text)
    (folder / "run.sh").chmod(0o755)
    (folder / "deep").mkdir()
    (folder / "deep" / "bytes").write_bytes(bytes(range(256)))
    (folder / "away").symlink_to("/etc/passwd")
    return folder


def test_work_comes_out_of_the_queue_as_it_went_in(queue: Queue, tmp_path: Path) -> None:
    queue.put(TASK, 7, handed_in(tmp_path / "in"))
    notes = queue.fetch("work-1", tmp_path / "out")
    assert (tmp_path / "out" / "run.sh").read_text() == "good"
    assert (tmp_path / "out" / "run.sh").stat().st_mode & 0o111
    assert (tmp_path / "out" / "deep" / "bytes").read_bytes() == bytes(range(256))
    assert not (tmp_path / "out" / "away").is_symlink() and any("away" in note for note in notes)


def test_a_result_is_written_once(queue: Queue, tmp_path: Path) -> None:
    name = name_of(TASK)
    for _ in range(2):
        queue.put(TASK, 7, tmp_path / "in" if (tmp_path / "in").exists() else handed_in(tmp_path / "in"))
    assert not queue.entry(name).done
    assert queue.answer(name, PASSED, "first") and not queue.answer(name, FAILED, "second")
    assert queue.look([name])[name].result == PASSED
    queue.put(TASK, 7, tmp_path / "in")
    assert queue.entry(name).done, "asked for again, it is there"
    queue.forget([name])
    with pytest.raises(LabsError, match="no entry"):
        queue.entry(name)


def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    for address in ("", "no address", f"sqlite:///{tmp_path}/no/such/folder/queue", "nothing://here"):
        with pytest.raises(LabsError, match="LABS_QUEUE"):
            Queue(address)


class Pretended:
    """A work pool of threads. Each flow run does what the next word of the script says, and then the last."""

    def __init__(self, queue: Queue, script: Sequence[str]) -> None:
        self.queue, self.script = queue, list(script)
        self.words: dict[UUID, str] = {}
        self.threads: list[threading.Thread] = []
        self.graded: list[str] = []
        self.cancelled: list[UUID] = []
        self.deadly = ""  # what no worker survives

    def start(self, names: Sequence[str]) -> UUID:
        run, act = uuid4(), self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.words[run] = "running"
        thread = threading.Thread(target=self._work, args=(run, act, names), daemon=True)
        self.threads.append(thread)
        thread.start()
        return run

    def _work(self, run: UUID, act: str, names: Sequence[str]) -> None:
        if act == "comes late":
            self.words[run] = "waiting"
            time.sleep(4 * farms.SILENCE_SECONDS)
        if act == "refuses":
            self.words[run] = "refused"
            return
        if act == "is taken":
            self.words[run] = "starting"
            return  # by a worker that died before anything ran
        if act == "starts slowly":
            self.words[run] = "starting"
            time.sleep(3 * farms.SILENCE_SECONDS)
            self.words[run] = "running"
            time.sleep(farms.SILENCE_SECONDS / 2)
        for number, name in enumerate(names):
            if act == "fails" or (act == "dies" and number) or name == self.deadly:
                break
            if act == "hangs" and number:
                return  # and Prefect goes on to say that it runs
            self.queue.beat(names)
            if act == "is slow":
                for _ in range(8):
                    time.sleep(farms.SILENCE_SECONDS / 4)
                    self.queue.beat(names)
            if self.queue.answer(name, PASSED, "now"):
                self.graded.append(name)
        self.words[run] = "ended"

    def states(self, runs: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
        return {run: (self.words[run], "a reason") for run in runs}

    def cancel(self, run: UUID) -> None:
        self.cancelled.append(run)


@pytest.mark.parametrize(
    ("script", "runs", "said"),
    [
        (["works"], 3, []),
        (["is slow"], 3, []),
        (["comes late", "works"], 3, []),
        (["dies", "works"], 7, ["7 gradings undone (a reason)"]),
        (["hangs", "works"], 7, ["7 gradings undone (nothing was heard"]),
        (["starts slowly"], 3, []),
        (["is taken", "works"], 7, ["8 gradings undone (nothing was heard"]),
        (["fails", "fails", "works"], 11, ["8 gradings undone", "8 gradings undone"]),
        ([*["refuses"] * 6, "works"], 9, ["refuses to grade (a reason)"]),
    ],
)
def test_every_job_has_one_result(
    script: list[str],
    runs: int,
    said: list[str],
    queue: Queue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(farms, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(farms, "SILENCE_SECONDS", 0.5)
    jobs = jobs_of(tmp_path, 20)
    store, pool = Store(tmp_path / "results.sqlite"), Pretended(queue, script)
    done: list[str] = []
    heard: list[str] = []
    Farm(queue, pool, store, lambda job, _: done.append(job.task.learner), heard.append).grade(jobs)
    assert sorted(done) == sorted(job.task.learner for job in jobs)
    assert sorted(pool.graded) == sorted(name_of(job.task) for job in jobs)
    assert len(list(store.all())) == 20 and len(pool.words) == runs
    assert len(heard) == len(said) and all(part in words for part, words in zip(said, heard, strict=True))


def test_what_no_worker_can_grade_is_our_fault(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farms, "LOOK_SECONDS", 0.01)
    store, pool = Store(tmp_path / "results.sqlite"), Pretended(queue, ["fails"])
    done: list[State] = []
    Farm(queue, pool, store, lambda _, result: done.append(result.state), lambda _: None).grade(
        jobs_of(tmp_path, 2)
    )
    assert done == [State.OUR_FAULT] * 2 and len(pool.words) == 1 + 2 * (ATTEMPTS - 1)
    assert [result.state for *_, result in store.all()] == done, "the gradebook says so"


def test_what_ends_every_worker_takes_no_other_with_it(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farms, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(farms, "at_once", lambda _: farms.MOST)
    jobs = jobs_of(tmp_path, farms.MOST)
    store, pool = Store(tmp_path / "results.sqlite"), Pretended(queue, ["works"])
    pool.deadly = name_of(jobs[0].task)
    Farm(queue, pool, store, lambda *_: None, lambda _: None).grade(jobs)
    ours = [learner for learner, *_, result in store.all() if result.state is State.OUR_FAULT]
    assert ours == [jobs[0].task.learner] and len(pool.graded) == farms.MOST - 1


def test_a_flow_run_of_a_large_cohort_grades_more() -> None:
    assert [farms.at_once(jobs) for jobs in (1, 300, 20_000, 1_000_000)] == [8, 8, 10, 64]


def test_workers_that_refuse_mark_nothing(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farms, "LOOK_SECONDS", 0.01)
    store, pool = Store(tmp_path / "results.sqlite"), Pretended(queue, ["refuses"])
    with pytest.raises(LabsError, match=f"refused {REFUSALS} times, and none graded meanwhile: a reason"):
        Farm(queue, pool, store, lambda *_: None, lambda _: None).grade(jobs_of(tmp_path, 2))
    assert list(store.all()) == [] and len(pool.words) == REFUSALS


def test_a_prefect_server_may_be_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farms, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(farms, "SILENCE_SECONDS", 0.1)
    asked: list[str] = []

    def back_again() -> str:
        asked.append("again")
        if len(asked) < 3:
            raise httpx.ConnectError("All connection attempts failed")
        return "here"

    def away() -> str:
        raise httpx.ConnectError("All connection attempts failed")

    assert farms.patiently(back_again) == "here"
    with pytest.raises(LabsError, match=r"Prefect does not answer any more \(ConnectError") as gone:
        farms.patiently(away)
    assert "what was graded is kept" in gone.value.next_step


def test_what_prefect_says_of_a_flow_run() -> None:
    from prefect import states

    said = (
        states.Scheduled(),
        states.Pending(),
        states.Running(),
        states.Completed(),
        states.Failed(name=REFUSED),
    )
    assert [farms._word(state) for state in said] == ["waiting", "starting", "running", "ended", "refused"], (
        "a worker that has taken a flow run may die before it says that it runs"
    )


def test_a_machine_that_must_not_grade_refuses(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labs.cohort.flow import grade_entries

    monkeypatch.delenv("LABS_QUEUE", raising=False)
    unset = grade_entries.fn(["name"], EMBEDDED, "open")
    monkeypatch.setenv("LABS_QUEUE", f"sqlite:///{tmp_path}/queue.sqlite")
    queue.put(TASK, 7, handed_in(tmp_path / "in"))
    other = grade_entries.fn([name_of(TASK)], EMBEDDED, "open")
    assert [(one.name, one.is_failed()) for one in (unset, other)] == [(REFUSED, True)] * 2
    assert "LABS_QUEUE is not set" in unset.message and "other rules" in other.message


def test_what_was_graded_after_a_kill_is_found_by_the_next_command(queue: Queue, tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 3)
    for job in jobs[:2]:
        queue.put(job.task, job.seed, job.folder)
        queue.answer(name_of(job.task), FAILED, "meanwhile")
    store, pool = Store(tmp_path / "results.sqlite"), Pretended(queue, ["works"])
    Farm(queue, pool, store, lambda *_: None, lambda _: None).grade(jobs)
    assert pool.graded == [name_of(jobs[2].task)]
    assert [result.earned for *_, result in store.all()] == [0, 0, 5]


def jobs_of(tmp_path: Path, count: int) -> list[Job]:
    for number in range(count):
        place = tmp_path / "cohort" / f"learner-{number:02}" / LAB.slug
        place.mkdir(parents=True)
        (place / LAB.files[0]).write_text(f"{number}")
    return plan(find(tmp_path / "cohort", tmp_path / "scratch"), (LAB,), EMBEDDED, {})[0]


# With Prefect


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Supervisor]:
    services = Supervisor(tmp_path / "services", usual_ports=False)
    yield services
    for name in KINDS:
        services.down(name)


@pytest.mark.parametrize("shared", ["sqlite", "postgres"])
def test_workers_die_and_come_late_and_the_gradebook_is_right(
    shared: str, services: Supervisor, tmp_path: Path
) -> None:
    lab = make_lab(tmp_path / "course")
    marks = {f"learner-{number:02}": 4 if number % 3 else 0 for number in range(24)}
    for learner, points in marks.items():
        wrong = GOOD.replace("return a + b", "return a - b")
        make_work(tmp_path / "in" / learner, sums_py=GOOD if points else wrong)
    env = environment(shared, services, tmp_path)
    assert prefect(env, "work-pool", "create", "grading", "--type", "process").wait(120) == 0
    argv = ("grade", "in", "--isolation", "open", "--pool", "grading", "--lab", lab.slug)
    grading = subprocess.Popen(
        [sys.executable, "-m", "labs", *argv], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
    )
    start = ("worker", "start", "--pool", "grading", "--type", "process", "--limit", "1")
    workers = [prefect(env, *start)]
    try:
        store = tmp_path / "grades" / "results.sqlite"
        until(lambda: store.exists() and len(list(Store(store).all())) >= 2)
        end(workers.pop())  # in the middle of its work, with all that it started
        workers += [prefect(env, *start) for _ in range(2)]
        said, _ = grading.communicate(timeout=600)
        assert grading.returncode == 0, said
    finally:
        for worker in workers:
            end(worker)
        end(grading)
    rows = {learner: result.earned for learner, _, _, _, result in Store(store).all()}
    assert rows == marks


def environment(shared: str, services: Supervisor, tmp_path: Path) -> dict[str, str]:
    """What all machines have in common; their course is one folder here."""
    env = {
        **os.environ,
        "LABS_ROOT": str(tmp_path / "course"),
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "LABS_WORK": str(tmp_path / "work"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "LABS_QUEUE": f"sqlite:///{tmp_path}/queue.sqlite",
        "LABS_SILENCE_SECONDS": "30",
        **services.up("prefect", EMBEDDED).variables,
    }
    if shared == "postgres":
        tier = KINDS["postgres"].tiers[LOCAL]
        if not tier.here and not os.environ.get("LABS_TEST_REAL"):
            pytest.skip(f"not on this machine: {tier.get_it}")
        env["LABS_QUEUE"] = services.up("postgres", LOCAL).variables["DATABASE_URL"]
    return env


def prefect(env: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """A Prefect command; a worker asks every second."""
    env = {**env, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    return subprocess.Popen([sys.executable, "-m", "prefect", *words], env=env, text=True)


def end(process: subprocess.Popen[str]) -> None:
    """Kill it, and all that it started."""
    if process.poll() is None:
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for one in started:
            with contextlib.suppress(psutil.Error):
                one.kill()
    process.wait()


def until(holds: Callable[[], bool], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
