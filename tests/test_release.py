"""`labs release`: the learners' repository holds no answer, no history, nothing of authors; and it works."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from faulty import GOOD, make_lab

from labs import catalog
from labs.cohort.step import output
from labs.errors import LabsError
from labs.release import ANSWERS, AUTHORS, release

ROOT = Path(__file__).resolve().parents[1]
NOT_COPIED = (".git", ".venv", ".labs", "work", "__pycache__", ".*_cache", ".hypothesis")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def committed(folder: Path) -> Path:
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "solution and all")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A course with one lab, its answers, and the files around it."""
    root = tmp_path / "course"
    lab = make_lab(root)
    for name in ("solution", "alternatives/other", "mistakes/wrong", "starter"):
        (lab.folder / name).mkdir(parents=True)
        (lab.folder / name / "sums.py").write_text(GOOD if name != "starter" else "# begin here\n")
    (root / "tests").mkdir()
    (root / "tests" / "test_x.py").write_text("secret of the authors\n")
    (root / "README.md").write_text(
        "For all.\n<!-- authors only -->\nHow to add a lab.\n<!-- for all -->\nEnd.\n"
    )
    return committed(root)


def test_a_release_holds_no_answer_no_history_and_nothing_of_authors(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    made = release(catalog.load(small), target)
    files = sorted(git(target, "ls-files").split())
    assert files == sorted(
        [
            "README.md",
            "stage1_tests/stage.toml",
            *(
                f"stage1_tests/01_sums/{name}"
                for name in ("lab.toml", "checks/test_sums.py", "starter/sums.py")
            ),
        ]
    )
    assert (made.files, made.labs) == (len(files), 1)
    assert (target / "README.md").read_text() == "For all.\nEnd.\n"
    assert git(target, "rev-list", "--count", "--all").strip() == "1"
    assert git(target, "status", "--porcelain") == ""
    objects = subprocess.run(
        ["git", "-C", str(target), "cat-file", "--batch-all-objects", "--batch"],
        capture_output=True,
        check=True,
    )
    assert b"return a + b" not in objects.stdout and b"secret of the authors" not in objects.stdout


def test_what_would_give_an_answer_away_is_refused(small: Path, tmp_path: Path) -> None:
    (small / "docs").mkdir()
    (small / "docs" / "example.py").write_text(GOOD)
    committed(small)
    with pytest.raises(LabsError, match=r"docs/example\.py is the same as stage1_tests/01_sums/"):
        release(catalog.load(small), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text",
    ["<!-- authors only -->\nx\n", "<!-- for all -->\n", "# authors only\n# authors only\n# for all\n"],
)
def test_marks_that_are_not_pairs_are_refused(small: Path, tmp_path: Path, text: str) -> None:
    (small / "README.md").write_text(text)
    committed(small)
    with pytest.raises(LabsError, match="README"):
        release(catalog.load(small), tmp_path / "out")


def test_marks_in_the_course_are_not_to_be_committed(small: Path, tmp_path: Path) -> None:
    (small / "out" / "week1").mkdir(parents=True)
    (small / "out" / "week1" / "results.sqlite").write_text("marks")
    with pytest.raises(LabsError, match="out/week1: marks that `labs grade` wrote") as refused:
        release(catalog.load(small), tmp_path / "out")
    assert "never be committed" in refused.value.next_step
    assert "/grades/" in (ROOT / ".gitignore").read_text().splitlines(), (
        "the usual folder is no change of the course"
    )


def test_a_release_is_a_commit_and_overwrites_nothing(small: Path, tmp_path: Path) -> None:
    (small / "new.txt").write_text("not committed\n")
    with pytest.raises(LabsError, match=r"Not committed: new\.txt"):
        release(catalog.load(small), tmp_path / "out")
    committed(small)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept\n")
    with pytest.raises(LabsError, match="not empty"):
        release(catalog.load(small), tmp_path / "out")
    with pytest.raises(LabsError, match="inside of the course"):
        release(catalog.load(small), small / "out")
    assert (tmp_path / "out" / "mine").read_text() == "kept\n"
    shutil.rmtree(small / ".git")
    with pytest.raises(LabsError, match="no git checkout"):
        release(catalog.load(small), tmp_path / "other")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This very course, released."""
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(ROOT, folder / "course", ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
    (folder / "course" / "work").mkdir()
    committed(folder / "course")
    release(catalog.load(folder / "course"), folder / "released")
    return folder / "released"


def test_the_course_can_be_released(real: Path) -> None:
    names = git(real, "ls-files").splitlines()
    inside = [name.split("/") for name in names if name.startswith("stage")]
    assert inside and not [parts for parts in inside if set(parts[2:3]) & set(ANSWERS)]
    kept = {name for name in AUTHORS if (real / name).exists()}
    assert kept == {".github"}, "in which only the workflow for GitHub Classroom stands"
    assert [path.name for path in (real / ".github").rglob("*.yml")] == ["autograding.yml"]
    for lab in catalog.load(real).labs:
        assert lab.starter.is_dir() and lab.checks.exists()


def test_a_learner_can_commit_work_and_nothing_that_belongs_to_the_machine(real: Path) -> None:
    def ignored(path: str) -> bool:
        return subprocess.run(["git", "-C", str(real), "check-ignore", "-q", path]).returncode == 0

    assert not ignored("work/serve_a_model/app.py"), "or nothing would ever reach GitHub Classroom"
    for path in ("work/.services/redis/log", "work/.backups/x", ".labs/x", ".venv/x"):
        assert ignored(path), path


def test_no_line_of_a_solution_goes_out_that_is_nowhere_else(real: Path) -> None:
    """Of the long lines of a solution hardly one stands in the release. What starters give away, they mean to."""
    out = "\n".join(
        path.read_text(encoding="utf-8", errors="ignore")
        for path in real.rglob("*")
        if path.is_file() and not {".git", "starter"} & set(path.relative_to(real).parts)
    )
    for lab in catalog.load(ROOT).labs:
        code = [path for path in lab.solution.rglob("*.py") if not (lab.starter / path.name).exists()]
        for path in code:
            long = [line.strip() for line in path.read_text().splitlines() if len(line.strip()) > 60]
            given_away = [line for line in long if line in out]
            assert len(given_away) <= len(long) / 4, (path, given_away)


def test_no_link_of_the_release_leads_nowhere(real: Path) -> None:
    dead = []
    for page in sorted(real.rglob("*.md")):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in link and not (page.parent / link).exists():
                dead.append(f"{page.relative_to(real)}: {link}")
    assert not dead


def test_the_release_does_what_make_start_does(real: Path) -> None:
    """Its own engine grades its own sample, and shows the board; without .venv, which takes a minute to make."""
    env = {**os.environ, "PYTHONPATH": str(real), "LABS_ROOT": str(real)}
    target = subprocess.run(["make", "--dry-run", "start"], cwd=real, capture_output=True, text=True)
    assert target.returncode == 0 and "check serve_a_model" in target.stdout
    sample = {**env, "LABS_WORK": str(real / "infra" / "sample_submission")}
    words = [sys.executable, "-m", "labs"]
    check = subprocess.run(
        [*words, "check", "serve_a_model"], cwd=real, env=sample, capture_output=True, text=True
    )
    assert check.returncode == 1 and "25 of 40 points" in check.stdout, check.stdout + check.stderr
    board = subprocess.run([*words, "list"], cwd=real, env=env, capture_output=True, text=True)
    assert board.returncode == 0 and "track_and_promote" in board.stdout
    answer = subprocess.run(
        [*words, "solution", "serve_a_model", "--give-up"], cwd=real, env=env, capture_output=True, text=True
    )
    assert answer.returncode == 2 and "has no solution" in answer.stderr


def test_the_workflow_for_classroom_hands_on_what_labs_check_says(small: Path) -> None:
    flow = yaml.safe_load((ROOT / "infra" / "classroom" / "autograding.yml").read_text())
    assert flow["name"] == "Autograding Tests", "else Classroom takes no scores"
    [(name, job)] = flow["jobs"].items()
    assert name == "run-autograding-tests"
    steps = job["steps"]
    [reporter] = [step for step in steps if "grading-reporter" in step.get("uses", "")]
    assert reporter["with"]["runners"] == "labs" and reporter["env"]["LABS_RESULTS"]
    [step] = [step for step in steps if step.get("id") == "labs"]
    assert "check $LABS --json" in step["run"] and "labs.cohort.step" in step["run"]
    work = small.parent / "work" / "sums"
    work.mkdir(parents=True)
    (work / "sums.py").write_text("def add(a, b):\n    return a - b\n")
    env = {**os.environ, "LABS_ROOT": str(small), "LABS_WORK": str(work.parent), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "labs", "check", "sums", "--json"]
    printed = subprocess.run(words, env=env, capture_output=True, text=True).stdout
    [line] = output(printed, catalog.load(small)).splitlines()
    found = json.loads(base64.b64decode(line.removeprefix("result=")))
    assert found["version"] == 1 and found["status"] == "fail"
    assert found["max_score"] == sum(test["max_score"] for test in found["tests"]) > 0
    assert {test["status"] for test in found["tests"]} <= {"pass", "fail", "error"}
    (work / "sums.py").unlink()
    work.rmdir()
    printed = subprocess.run(words, env=env, capture_output=True, text=True).stdout
    nothing = json.loads(base64.b64decode(output(printed, catalog.load(small)).removeprefix("result=")))
    assert nothing["max_score"] == found["max_score"] and not nothing["tests"]
