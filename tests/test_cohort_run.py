"""A cohort is graded once, whatever ends the grading in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from labs import catalog
from labs.catalog import Lab
from labs.cohort.run import Estimate, Job, flaky, grade, outstanding, plan
from labs.cohort.store import Store
from labs.cohort.submissions import find
from labs.results import CheckResult, LabResult, State

LAB = next(lab for lab in catalog.load(catalog.ROOT).labs if lab.files)
OTHER = next(lab for lab in catalog.load(catalog.ROOT).labs if lab.slug != LAB.slug)


class Pretended:
    """Grades by the first byte of a learner's first file, slowly, and counts."""

    def __init__(self, log: Path | None = None, seconds: float = 0.0) -> None:
        self.log, self.seconds, self.lock = log, seconds, threading.Lock()
        self.graded: list[str] = []

    def grade(self, lab: Lab, folder: Path, seed: int | None = None) -> LabResult:
        time.sleep(self.seconds)
        text = (folder / lab.files[0]).read_text()
        with self.lock:
            self.graded.append(folder.parent.name)
            if self.log:
                with self.log.open("a") as file:
                    file.write(f"{folder.parent.name}\n")
        if text.startswith("broken"):
            raise RuntimeError("a bug of ours")
        state = State.PASSED if text.startswith("good") else State.FAILED
        return LabResult(lab.slug, seed or lab.seed, (CheckResult("one", "one", 5, state),))


def cohort(folder: Path, **works: str) -> Path:
    for learner, text in works.items():
        place = folder / learner / LAB.slug / LAB.files[0]
        place.parent.mkdir(parents=True)
        place.write_text(text)
    return folder


def jobs_of(tmp_path: Path, repeat: int = 1, **seeds: int) -> list[Job]:
    submissions = find(tmp_path / "cohort", tmp_path / "scratch")
    return plan(submissions, (LAB,), "embedded", seeds, repeat)[0]


def test_everybody_is_graded_and_nobody_twice(tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="bad", meena="broken")
    store, grader, told = Store(tmp_path / "results.sqlite"), Pretended(), []
    grade(
        outstanding(jobs_of(tmp_path), store),
        grader,
        store,
        2,
        lambda job, result: told.append(job.task.learner),
    )
    assert sorted(told) == sorted(grader.graded) == ["asha", "meena", "ravi"]
    earned = {learner: result.earned for learner, _, _, _, result in store.all()}
    assert earned == {"asha": 5, "meena": 0, "ravi": 0}
    assert {learner: result.state for learner, _, _, _, result in store.all()}["meena"] is State.OUR_FAULT
    assert outstanding(jobs_of(tmp_path), store) == []


def test_only_what_changed_is_graded_again(tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="bad")
    store = Store(tmp_path / "results.sqlite")
    grade(jobs_of(tmp_path), Pretended(), store, 1, lambda *_: None)
    (tmp_path / "cohort" / "ravi" / LAB.slug / LAB.files[0]).write_text("good now")
    again = Pretended()
    grade(outstanding(jobs_of(tmp_path), store), again, store, 1, lambda *_: None)
    assert again.graded == ["ravi"]
    assert len(outstanding(jobs_of(tmp_path, **{LAB.slug: 99}), store)) == 2, (
        "another seed is another grading"
    )


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good")
    (tmp_path / "cohort" / "ravi.zip").write_text("no archive")
    jobs, missing = plan(find(tmp_path / "cohort", tmp_path / "scratch"), (LAB, OTHER), "embedded", {})
    assert [(job.task.learner, job.lab.slug) for job in jobs] == [("asha", LAB.slug)]
    assert sorted((one.learner, one.lab.slug, bool(one.error)) for one in missing) == sorted([
        ("asha", OTHER.slug, False), ("ravi", LAB.slug, True), ("ravi", OTHER.slug, True),
    ])  # fmt: skip


def test_killed_twice_it_ends_with_the_same_and_grades_nothing_twice(tmp_path: Path) -> None:
    """What was told was kept; only what was under way at a kill is graded once more."""
    cohort(tmp_path / "cohort", **{f"learner{n:02d}": "good" if n % 3 else "bad" for n in range(30)})
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from labs.cohort.run import grade, outstanding
from labs.cohort.store import Store
from test_cohort_run import Pretended, jobs_of
here = Path(sys.argv[1])
store = Store(here / "results.sqlite")
grade(outstanding(jobs_of(here), store), Pretended(here / "log", 0.03), store, 2,
      lambda job, result: print(job.task.learner, flush=True))
"""
    told: list[str] = []
    for kill_after in (7, 9, None):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line.strip())
            if kill_after is not None and len(told) % 16 >= kill_after:
                os.kill(process.pid, signal.SIGKILL)
                break
        told += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.wait()
    assert sorted(told) == sorted(set(told)), "nobody is told of twice"
    rows = {learner: result.earned for learner, _, _, _, result in Store(tmp_path / "results.sqlite").all()}
    assert rows == {f"learner{n:02d}": 5 if n % 3 else 0 for n in range(30)}
    graded = (tmp_path / "log").read_text().split()
    assert len(graded) <= 30 + 2 * 2 + 2, "at most those under way at each kill"


def test_what_comes_out_differently_is_flaky(tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="good")
    store = Store(tmp_path / "results.sqlite")
    grade(jobs_of(tmp_path, repeat=3), Pretended(), store, 1, lambda *_: None)
    assert flaky(store) == {}
    job = next(job for job in jobs_of(tmp_path, repeat=3) if job.task.repetition == 2)
    result = store.result(job.task)
    assert result is not None
    failed = replace(result, checks=(replace(result.checks[0], state=State.FAILED),))
    store.keep(job.task, failed, "2026-11-08")
    assert flaky(store) == {(job.task.learner, LAB.slug): ("one",)}


def test_an_estimate_follows_the_pace() -> None:
    clock = [0.0]
    estimate = Estimate(100, now=lambda: clock[0])
    assert estimate.seconds_left is None
    for _ in range(50):
        clock[0] += 2.0
        estimate.one_more()
    assert estimate.seconds_left == 100.0
    assert estimate.done == 50
