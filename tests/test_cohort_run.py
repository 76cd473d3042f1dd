"""A cohort is graded once, whatever ends the grading in between."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labs import catalog
from labs.catalog import Lab
from labs.cohort import desk
from labs.cohort.desk import Graded, Order, Screen, grade_cohort
from labs.cohort.late import LatePolicy
from labs.cohort.run import Estimate, Job, flaky, grade, outstanding, plan
from labs.cohort.store import Store
from labs.cohort.submissions import Submission, find
from labs.errors import LabsError
from labs.results import CheckResult, Isolation, LabResult, State

COURSE = catalog.load(catalog.ROOT)
LAB = next(lab for lab in COURSE.labs if lab.files)
OTHER = next(lab for lab in COURSE.labs if lab.slug != LAB.slug)


class Pretended:
    """Grades by the first byte of a learner's first file, slowly, and counts."""

    def __init__(self, log: Path | None = None, seconds: float = 0.0) -> None:
        self.log, self.seconds, self.lock = log, seconds, threading.Lock()
        self.graded: list[str] = []
        self.rung, self.broken = "open", False

    def grade(self, lab: Lab, folder: Path, seed: int | None = None) -> LabResult:
        time.sleep(self.seconds)
        text = (folder / lab.files[0]).read_text()
        with self.lock:
            self.graded.append(folder.parent.name)
            if self.log:
                with self.log.open("a") as file:
                    file.write(f"{folder.parent.name}\n")
        if text.startswith("broken") or self.broken:
            raise RuntimeError("a bug of ours")
        state = State.PASSED if text.startswith("good") else State.FAILED
        layers = {"limits": "held"} if state is State.PASSED else {}  # of what fails nothing ran
        checks = (CheckResult("one", "one", 5, state),)
        return LabResult(lab.slug, seed or lab.seed, checks, isolation=Isolation(self.rung, layers))

    def trusted(self) -> str:
        return self.rung

    def __enter__(self) -> Pretended:
        return self

    def __exit__(self, *_: object) -> None:
        return


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
    left = outstanding(jobs_of(tmp_path), store)
    assert [job.task.learner for job in left] == ["meena"], "what broke by our fault is graded again"


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


DAY = datetime(2026, 12, 1, tzinfo=UTC)
EARLY, LATER = datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)


class Instructor:
    """Gives `labs grade` on tmp_path/cohort, with a pretended grader. `at`: when a learner handed in."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.grader, self.at = tmp_path, Pretended(), dict[str, datetime]()
        self.heard: list[str] = []
        monkeypatch.setattr(desk, "Grader", lambda *_, **__: self.grader)
        monkeypatch.setattr(desk, "find", self._find)

    def _find(self, *places: Path) -> Sequence[Submission]:
        return [replace(one, at=self.at.get(one.learner)) for one in find(*places)]

    def grade(self, *labs: Lab, **order: Any) -> Graded:
        self.grader.graded.clear()
        self.heard.clear()
        screen = Screen()
        screen.say = self.heard.append  # type: ignore[method-assign]
        asked = {"source": self.path / "cohort", "out": self.path / "grades", "least": "open", **order}
        return grade_cohort(COURSE, Order(labs=labs or (LAB,), **asked), screen)


@pytest.fixture
def instructor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instructor:
    return Instructor(tmp_path, monkeypatch)


def earned(graded: Graded) -> dict[str, tuple[str, int]]:
    return {mark.learner: (mark.state, mark.earned) for mark in graded.marks}


def book(tmp_path: Path, column: str = LAB.slug, table: str = "gradebook") -> dict[str, str]:
    lines = (tmp_path / "grades" / f"{table}.csv").read_text(encoding="utf-8-sig").splitlines()
    return {row["learner"]: row[column] for row in csv.DictReader(lines)}


def test_since_leaves_marks_alone_also_with_again(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="good")
    instructor.at = {"asha": EARLY, "ravi": LATER}
    before = earned(instructor.grade())
    assert before == {"asha": ("passed", 5), "ravi": ("passed", 5)}
    with pytest.raises(LabsError, match="--again asha: there is nothing to grade of it"):
        instructor.grade(since=DAY, again=("asha",))
    assert earned(instructor.grade(since=DAY, again=(LAB.slug,))) == before
    assert instructor.grader.graded == ["ravi"]
    assert book(tmp_path) == {"asha": "5.0", "ravi": "5.0"}


def test_what_since_leaves_out_is_not_graded_and_no_0(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="good")
    (tmp_path / "cohort" / "kabir").mkdir()
    instructor.at = {"asha": EARLY, "kabir": EARLY, "ravi": LATER}
    graded = earned(instructor.grade(since=DAY))
    assert graded["asha"][0] == "not graded" and graded["kabir"][0] == "not handed in"
    assert book(tmp_path) == {"asha": "", "kabir": "0.0", "ravi": "5.0"}
    assert book(tmp_path, "possible")["asha"] == "0" and book(tmp_path, "earned", "labs")["asha"] == ""
    exported = [path.name for path in (tmp_path / "grades" / "exports" / "gradescope").iterdir()]
    assert "ravi" in exported and "asha" not in exported


def test_again_names_learners_and_labs_of_this_command_alone(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="good")
    for learner in ("asha", "ravi"):
        place = tmp_path / "cohort" / learner / OTHER.slug / OTHER.files[0]
        place.parent.mkdir(parents=True)
        place.write_text("good")
    assert instructor.grade(LAB, OTHER).done == 4
    kept = {row[:2]: row[3] for row in Store(tmp_path / "grades" / "results.sqlite").all()}
    assert instructor.grade(LAB, again=("asha",)).done == 1
    assert instructor.grade(LAB, OTHER, again=(f"ravi/{OTHER.slug}",)).done == 1
    assert instructor.grade(LAB, OTHER, again=(LAB.slug, "asha")).done == 3
    assert {row[:2] for row in Store(tmp_path / "grades" / "results.sqlite").all()} == kept.keys()
    for wrong in ("nobody", f"nobody/{LAB.slug}", f"asha/{OTHER.slug}", OTHER.slug):
        with pytest.raises(LabsError, match=f"--again {wrong}"):
            instructor.grade(LAB, again=(wrong,))


def test_again_loses_nothing_when_it_cannot_grade(
    instructor: Instructor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort(tmp_path / "cohort", asha="good")
    instructor.grade()
    monkeypatch.delenv("LABS_QUEUE", raising=False)
    with pytest.raises(LabsError, match="LABS_QUEUE is not set"):
        instructor.grade(again=("asha",), pool="grading")
    with pytest.raises(LabsError, match="`open`"):
        instructor.grade(again=("asha",), least="sealed")
    instructor.grader.broken = True
    broke = instructor.grade(again=("asha",))
    assert len(broke.broken) == 1 and "broke by our fault" in broke.marks[0].error
    assert earned(broke) == earned(instructor.grade()) == {"asha": ("passed", 5)}


def test_again_ends_what_was_flaky(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="bad")
    instructor.grade(repeat=2)
    task = next(job.task for job in jobs_of(tmp_path, repeat=2) if job.task.repetition == 1)
    store = Store(tmp_path / "grades" / "results.sqlite")
    store.keep(task, LabResult(LAB.slug, 7, (CheckResult("one", "one", 5, State.PASSED),)), "now")
    assert instructor.grade().marks[0].flaky == ("one",)
    assert instructor.grade(again=("asha",)).marks[0].flaky == ()


def test_what_broke_by_our_fault_is_graded_again(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="bad")
    instructor.grader.broken = True
    assert {state for state, _ in earned(instructor.grade()).values()} == {"our fault"}
    assert "a bug of ours" in book(tmp_path, "error", "labs")["asha"]
    instructor.grader.broken = False
    assert earned(instructor.grade()) == {"asha": ("passed", 5), "ravi": ("failed", 0)}
    assert "2 kept results broke by our fault: graded again" in instructor.heard


def test_a_kept_result_below_the_wanted_rung_is_graded_again(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="bad")
    instructor.grade()
    assert book(tmp_path, "isolation", "labs") == {"asha": "open", "ravi": ""}, "nothing of ravi's ran"
    instructor.grader.rung = "locked"
    assert instructor.grade(least="locked").done == 1 and instructor.grader.graded == ["asha"]
    assert "1 kept results are of a rung below `locked`: graded again" in instructor.heard
    assert instructor.grade(least="locked").done == 0 == instructor.grade().done


def test_a_mark_stays_when_the_work_cannot_be_read_any_more(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="good")
    instructor.grade()
    shutil.rmtree(tmp_path / "cohort" / "asha")
    (tmp_path / "cohort" / "asha.zip").write_text("no archive")
    (tmp_path / "cohort" / "ravi" / LAB.slug).rename(tmp_path / "away")
    graded = instructor.grade()
    assert book(tmp_path) == {"asha": "5.0", "ravi": "5.0"}
    said = {mark.learner: mark.error for mark in graded.marks}
    assert "asha.zip" in said["asha"] and "not handed in this time" in said["ravi"]
    assert all("the mark is of an earlier run" in words for words in said.values())


def test_one_command_at_a_time_writes_to_a_folder(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good")
    code = (
        "import sys, pathlib\nfrom labs.cohort.out_folder import held\n"
        "with held(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "grades")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(LabsError, match=f"another `labs grade` writes there .process {other.pid} on "):
            instructor.grade()
        assert not (tmp_path / "grades" / "unpacked").exists()
        os.kill(other.pid, signal.SIGKILL)
    assert instructor.grade().done == 1, "the lock went with the process"


def test_everything_is_private(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good")
    instructor.grade()
    (tmp_path / "grades").chmod(0o755)  # as it was left by an earlier version
    instructor.grade()
    (tmp_path / "cohort").chmod(0o755)
    instructor.grade(source=tmp_path / "cohort" / "asha", out=tmp_path / "cohort")
    assert (tmp_path / "cohort").stat().st_mode & 0o777 == 0o755, (
        "a folder with other things in it is not ours"
    )
    made = [path for path in (tmp_path / "grades").rglob("*") if "unpacked" not in path.parent.parts]
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [*made, tmp_path / "grades"] if path.is_dir()} == {0o700}


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "may not write")],
)
def test_a_folder_that_cannot_be_written_is_said_in_words(
    instructor: Instructor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    cohort(tmp_path / "cohort", asha="good")

    def refuse(*_: object) -> None:
        raise OSError(number, "no", str(tmp_path / "grades" / "gradebook.csv"))

    monkeypatch.setattr("labs.cohort.gradebook.write_whole", refuse)
    with pytest.raises(LabsError, match=f"gradebook.csv.*{said}"):
        instructor.grade()
    monkeypatch.undo()
    monkeypatch.setattr("labs.cohort.gradebook.write_whole", lambda *_: {}["a bug of ours"])
    with pytest.raises(KeyError):
        instructor.grade()


@pytest.mark.parametrize("below", ["", "deeper"])
def test_out_may_not_be_a_file(instructor: Instructor, tmp_path: Path, below: str) -> None:
    cohort(tmp_path / "cohort", asha="good")
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(LabsError, match=r"--out .*notes.*no folder"):
        instructor.grade(out=tmp_path / "notes" / below)
    assert (tmp_path / "notes").read_text() == "mine"


def test_what_the_last_run_had_and_this_one_has_not_is_said(instructor: Instructor, tmp_path: Path) -> None:
    cohort(tmp_path / "cohort", asha="good", ravi="good")
    place = tmp_path / "cohort" / "asha" / OTHER.slug / OTHER.files[0]
    place.parent.mkdir(parents=True)
    place.write_text("good")
    (tmp_path / "rubric.md").write_text("| criterion | points |\n|---|---|\n| Style | 4 |\n")
    instructor.at = {"asha": LATER, "ravi": EARLY}
    rubric = tmp_path / "rubric.md"
    assert instructor.grade(LAB, OTHER, policy=LatePolicy(DAY, 10), rubric=rubric).news == ()
    form = tmp_path / "grades" / "marks-by-a-person.csv"
    form.write_text(form.read_text(encoding="utf-8-sig").replace(f"{LAB.slug},", f"{LAB.slug},3.5", 1))
    rubric.write_text(rubric.read_text().replace("Style", "Manner"))
    shutil.rmtree(tmp_path / "cohort" / "ravi")
    news = " ".join(instructor.grade(LAB, rubric=rubric).news)
    assert (
        f"not in it: {OTHER.slug}" in news and "1 learners of the last run are not in this one: ravi" in news
    )
    assert "took points off 1 late marks" in news and "the columns style hold marks" in news
    assert "3.5" in form.read_text()


def test_an_estimate_follows_the_pace() -> None:
    clock = [0.0]
    estimate = Estimate(100, now=lambda: clock[0])
    assert estimate.seconds_left is None
    for _ in range(50):
        clock[0] += 2.0
        estimate.one_more()
    assert estimate.seconds_left == 100.0
    assert estimate.done == 50
