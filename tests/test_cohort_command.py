"""`labs grade` as an instructor runs it: strangers' work in, a gradebook out, killed on the way and resumed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from faulty import GOOD, make_lab, make_work

from labs.cohort.store import Store

WRONG = GOOD.replace("return a + b", "return a - b")
HIDDEN = '''
from labs.checks import check
from test_sums import adds


@check(points=5, after=adds)
def adds_below_zero(work):
    """adds numbers below zero"""
    work.call("sums.py:add", -2, -3).expect(value=-5, hint="a hint about the secret")
'''


@pytest.fixture
def course(tmp_path: Path) -> Path:
    make_lab(tmp_path / "course")
    return tmp_path / "course"


def labs(course: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(*words), cwd=cwd or course.parent, env=env(course), capture_output=True, text=True
    )


def argv(*words: str) -> list[str]:
    return [sys.executable, "-m", "labs", *words]


def env(course: Path) -> dict[str, str]:
    root = Path(__file__).resolve().parents[1]
    return {
        **os.environ,
        "LABS_ROOT": str(course),
        "PYTHONPATH": str(root),
        "LABS_WORK": str(course / "work"),
    }


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def submissions(folder: Path) -> Path:
    make_work(folder / "asha")
    make_work(folder / "ravi" / "work" / "sums", sums_py=WRONG)
    make_work(folder / "meena", sums_py="import os\nos._exit(0)\n")
    (folder / "kabir").mkdir()
    (folder / "zoya.zip").write_bytes(b"PK\x03\x04 and no more")
    return folder


def test_one_command_grades_a_cohort(course: Path, tmp_path: Path) -> None:
    submissions(tmp_path / "in")
    private = tmp_path / "private" / "sums"
    private.mkdir(parents=True)
    (private / "test_private.py").write_text(HIDDEN)
    (tmp_path / "seeds.toml").write_text("sums = 4711\n")
    words = ("grade", "in", "--hidden", "private", "--seed-file", "seeds.toml", "--isolation", "open")
    ended = labs(course, *words)
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "zoya: zoya.zip: cannot be unpacked (it is cut short, or no zip)." in ended.stdout
    assert "1 not handed in" in ended.stdout
    out = tmp_path / "grades"
    marks = {row["learner"]: (row["sums"], row["possible"]) for row in rows(out / "gradebook.csv")}
    assert marks == {
        "asha": ("9.0", "9"), "ravi": ("0.0", "9"), "meena": ("0.0", "9"), "kabir": ("0.0", "9"), "zoya": ("0.0", "9"),
    }  # fmt: skip
    states = {row["learner"]: row["state"] for row in rows(out / "labs.csv")}
    assert (states["kabir"], states["zoya"], states["asha"]) == ("not handed in", "unreadable", "passed")

    cohort = (out / "cohort.html").read_text()
    assert "adds numbers below zero" in cohort, "the instructor sees hidden checks"
    for report in (out / "learners").rglob("*.*"):
        text = report.read_text()
        assert "below zero" not in text and "secret" not in text and "adds_below_zero" not in text, report
    said = (out / "learners" / "ravi" / "sums.md").read_text()
    assert "a check that is not public" in said and "not public. They ask" in said and "0 / 5" in said
    body = json.loads((out / "learners" / "ravi" / "sums.json").read_text())
    assert body["schema"] == 1 and body["seed"] is None
    result = json.loads((out / "exports" / "gradescope" / "ravi" / "sums" / "results.json").read_text())
    assert result["score"] == 0 and len(result["tests"]) == 5

    again = labs(course, *words)
    assert "0 gradings done now, 3 kept from before" in again.stdout, again.stdout
    one = labs(course, *words, "--again", "ravi")
    assert "1 gradings done now, 2 kept from before" in one.stdout, one.stdout
    assert labs(course, *words, "--again", "nobody").returncode == 2
    private.rename(private.with_name("sum"))
    typo = labs(course, *words)
    assert typo.returncode == 2 and "Did you mean `sums`" in typo.stderr, "checks that nobody would run"


def test_killed_twice_it_ends_with_the_same_gradebook(course: Path, tmp_path: Path) -> None:
    for number in range(12):
        make_work(tmp_path / "in" / f"learner-{number:02}", sums_py=WRONG if number % 3 else GOOD)
    words = ("grade", "in", "--isolation", "open", "--workers", "1")
    assert labs(course, *words, "--out", "undisturbed").returncode == 0
    store = tmp_path / "grades" / "results.sqlite"
    seen = 0
    for _ in range(2):
        with subprocess.Popen(
            argv(*words), cwd=tmp_path, env=env(course), stderr=subprocess.DEVNULL
        ) as killed:
            deadline = time.monotonic() + 120
            while len(done := kept(store)) < seen + 2 and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(killed.pid, signal.SIGKILL)
        seen = len(done)
        assert 2 <= seen < 12
    before = kept(store)
    ended = labs(course, *words)
    assert ended.returncode == 0, ended.stderr
    after = kept(store)
    assert {key: after[key] for key in before} == before, "what was kept was not graded again"
    for name in ("gradebook.csv", "checks.csv"):
        ours, theirs = (
            [drop_times(row) for row in rows(tmp_path / at / name)] for at in ("grades", "undisturbed")
        )
        assert ours == theirs


def kept(store: Path) -> dict[str, str]:
    """When each learner was graded."""
    return {learner: at for learner, _, _, at, _ in Store(store).all()} if store.exists() else {}


def drop_times(row: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in row.items() if key != "seconds"}


def test_it_refuses_to_grade_below_the_instructors_rung(course: Path, tmp_path: Path) -> None:
    make_work(tmp_path / "in" / "asha")
    code = (
        "import sys\nfrom labs.grading.grader import Grader\nfrom labs.cli import main\n"
        "Grader.trusted = lambda self: 'separate user'\nsys.argv = ['labs', 'grade', 'in']\nsys.exit(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env(course), capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "`separate user`" in ended.stderr and "--isolation" in ended.stderr
    assert not (tmp_path / "grades" / "gradebook.csv").exists()


def test_clones_are_made_from_a_list_and_one_that_fails_is_a_note(course: Path, tmp_path: Path) -> None:
    made = make_work(tmp_path / "repo")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(made)]
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *step], check=True, capture_output=True)
    listed = f"learner;url;at\nasha;file://{made};2026-11-28T10:00+05:30\nravi;file://{tmp_path}/none;\n"
    (tmp_path / "cohort.CSV").write_text(listed)
    due = ("--due", "2026-11-26T10:00+05:30", "--late-percent", "10")
    ended = labs(course, "grade", "cohort.CSV", "--isolation", "open", *due)
    assert ended.returncode == 3, ended.stderr
    book = {row["learner"]: row for row in rows(tmp_path / "grades" / "labs.csv")}
    assert (book["asha"]["earned"], book["asha"]["late_days"], book["asha"]["after_lateness"]) == (
        "4",
        "2",
        "3.2",
    )
    assert book["ravi"]["state"] == "unreadable" and "cannot be cloned" in book["ravi"]["error"]
    assert "?" not in book["ravi"]["error"], "git's lines are one line"
    (made / "sums.py").write_text(WRONG)
    subprocess.run([*git, "commit", "-qam", "two"], check=True)
    assert labs(course, "grade", "cohort.CSV", "--isolation", "open", *due).returncode == 3
    book = {row["learner"]: row for row in rows(tmp_path / "grades" / "labs.csv")}
    assert book["asha"]["earned"] == "0", "what was pushed later is graded"
    (made / "sums.py").write_text(GOOD)
    subprocess.run([*git, "commit", "-qam", "three"], check=True)
    assert labs(course, "grade", "cohort.CSV", "--isolation", "open", *due).returncode == 3, "ravi, still"
    made.rename(tmp_path / "gone")
    for clone_is_there in (True, False):
        gone = labs(course, "grade", "cohort.CSV", "--isolation", "open", *due)
        book = {row["learner"]: row for row in rows(tmp_path / "grades" / "labs.csv")}
        assert (book["asha"]["earned"], book["asha"]["after_lateness"]) == ("4", "3.2"), "nothing is lost"
        if clone_is_there:
            assert "could not be refreshed, so the clones from before count: asha" in gone.stdout
            assert "could not be refreshed" in book["asha"]["notes"]
            shutil.rmtree(tmp_path / "grades" / "clones" / "asha")
        else:
            assert "so the marks from before stay: asha" in gone.stdout
            assert "cannot be cloned" in book["asha"]["error"]


def test_a_clone_that_is_a_link_earns_nothing(course: Path, tmp_path: Path) -> None:
    """`work -> ../../../work` leads from a clone to the instructor's own answers."""
    make_work(tmp_path / "work" / "sums")
    evil = tmp_path / "repo"
    evil.mkdir()
    (evil / "work").symlink_to("../../../work")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(evil)]
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *step], check=True, capture_output=True)
    (tmp_path / "cohort.csv").write_text(f"learner,url\nbob,file://{evil}\n")
    assert labs(course, "grade", "cohort.csv", "--isolation", "open").returncode == 0
    link = tmp_path / "grades" / "clones" / "bob" / "work"
    assert (link / "sums" / "sums.py").is_file(), "or the test would show nothing"
    [bob] = rows(tmp_path / "grades" / "labs.csv")
    assert (bob["earned"], bob["state"]) == ("0", "not handed in")
    assert "`work` is a link" in bob["notes"]


def test_times_of_an_export_are_read_in_the_instructors_zone(course: Path, tmp_path: Path) -> None:
    """Handed in at 23:30 in Kolkata: in time there, and late if that was UTC."""
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "Lab 1_asha_attempt_2026-11-30-23-30-00_work.zip", "w") as packed:
        packed.writestr("sums.py", GOOD)
    words = ("grade", "in", "--isolation", "open", "--due", "2026-11-30T23:59+05:30", "--late-percent", "10")
    ended = labs(course, *words)
    assert "came without an offset: 1, read as UTC; --time-zone" in ended.stdout
    assert rows(tmp_path / "grades" / "labs.csv")[0]["late_days"] == "1"
    ended = labs(course, *words, "--time-zone", "Asia/Kolkata")
    assert "read as Asia/Kolkata" in ended.stdout
    assert rows(tmp_path / "grades" / "labs.csv")[0]["late_days"] == "0"


def test_a_time_that_is_none_is_named_with_its_option(course: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "asha").mkdir(parents=True)
    for words, said in (
        (("--due", "soon"), "--due 'soon' is no time."),
        (("--due", "2026-11-30T23:59Z", "--grace", "a while"), "--grace 'a while'"),
        (("--since", "2026-11-30T23:59"), "--since '2026-11-30T23:59' has no time zone."),
    ):
        ended = labs(course, "grade", "in", "--isolation", "open", *words)
        assert ended.returncode == 2 and said in ended.stderr, ended.stderr


def test_a_time_that_is_none_is_named_with_its_line(course: Path, tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text(
        "learner,url,at\nasha,file:///x,2026-11-28T10:00Z\nravi,file:///x,soon\n"
    )
    ended = labs(course, "grade", "cohort.csv", "--isolation", "open")
    assert ended.returncode == 2 and "cohort.csv, line 3, ravi: `at`: 'soon' is no time." in ended.stderr


@pytest.mark.parametrize("url", ["ext::sh -c touch% /tmp/x", "--upload-pack=touch", ""])
def test_an_address_that_is_none_is_refused(course: Path, tmp_path: Path, url: str) -> None:
    (tmp_path / "cohort.csv").write_text(f"learner,url\nasha,{url}\n")
    ended = labs(course, "grade", "cohort.csv", "--isolation", "open")
    assert ended.returncode == 2 and "cohort.csv, line 2" in ended.stderr


def test_marks_of_a_person_stand_in_columns_of_their_own(course: Path, tmp_path: Path) -> None:
    make_work(tmp_path / "in" / "asha")
    (tmp_path / "rubric.md").write_text(
        "| criterion | wanted | points |\n|---|---|---:|\n| Good names | yes | 4 |\n"
    )
    words = ("grade", "in", "--isolation", "open", "--rubric", "rubric.md")
    assert labs(course, *words).returncode == 0
    form = tmp_path / "grades" / "marks-by-a-person.csv"
    assert [(row["learner"], row["lab"], row["good_names"]) for row in rows(form)] == [("asha", "sums", "")]
    form.write_text(form.read_text(encoding="utf-8-sig").replace("sums,", "sums,3.5"))
    make_work(tmp_path / "in" / "ravi", sums_py=WRONG)
    assert labs(course, *words).returncode == 0
    assert [row["good_names"] for row in rows(form)] == ["3.5", ""]
    book = {row["learner"]: row for row in rows(tmp_path / "grades" / "gradebook.csv")}
    assert (book["asha"]["sums"], book["asha"]["sums_person_good_names"]) == ("4.0", "3.5")
    form.write_text(form.read_text(encoding="utf-8-sig").replace(",", ";"))
    assert labs(course, *words).returncode == 0, "a spreadsheet may write semicolons"
    assert [row["good_names"] for row in rows(form)] == ["3.5", ""]
    whole = form.read_bytes()
    form.write_text("something else\n")
    assert labs(course, *words).returncode == 2 and form.read_text() == "something else\n"
    form.write_bytes(whole)
    form.write_text(form.read_text(encoding="utf-8-sig").replace("3.5", "5"))
    wrong = labs(course, *words)
    assert wrong.returncode == 2 and "line 2" in wrong.stderr and "0 to 4" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seed-file", "none.toml"), "none.toml"),
        (("--late-percent", "10"), "--due"),
        (("--due", "tomorrow"), "tomorrow"),
        (("--due", "2026-11-30T23:59Z", "--late-percent", "150"), "--late-percent 150"),
        (("--time-zone", "Mars/Phobos"), "Mars/Phobos"),
        (("--isolation", "some"), "--isolation some"),
        (("--hidden", "nowhere"), "nowhere"),
    ],
)
def test_bad_options_are_named(course: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    make_work(tmp_path / "in" / "asha")
    ended = labs(course, "grade", "in", *words)
    assert ended.returncode == 2 and said in ended.stderr
