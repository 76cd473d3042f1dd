"""Each gate of `labs verify` catches the lab that violates it, names the right file, and passes a sound one.

Most tests use a stand-in for the grader which reads states from answer.txt: a violation is one line.
What the real grader makes of real labs is at the end here, in test_scaffold.py and in test_every_lab.py.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from labs import catalog as catalogs
from labs import verify as verifying
from labs.catalog import Lab
from labs.fingerprint import of_rules
from labs.results import CheckResult, Finding, LabResult, State
from labs.verify import expected
from labs.verify.brief import commands_of
from labs.verify.output import difference
from labs.verify.report import Report, Verdict

LAB_TOML = """\
slug = "tidy"
title = "Tidy"
minutes = 45
points = 3
seed = 7
files = ["answer.txt"]
check_seconds = 5
"""
HINTS = """\
## one
1. What is one?
2. Look at line one.
3. Write `one`.

## two
1. What is two?
2. Look at line two.
3. Write `two`.
"""
README = """\
# Tidy

At 3 AM the answer was wrong.

## You will be able to

1. Answer.

## Contract

`answer.txt` holds two lines.

## Steps

```console
$ cd work/tidy
$ cat answer.txt
one passed
…
$ false  # exits 1
```

## What you will see

Ticks.

## What is still broken

- [ ] Everything else.

## Further reading

*Answers*, by A. Author.
"""
SOLUTION = "one passed\ntwo passed\n"


EVER = itertools.count()  # no two gradings have the same number, whatever order they run in


class StandIn:
    """Grades answer.txt: `<check> <state>` lines, and words that make it misbehave."""

    def __init__(self) -> None:
        self.graded: list[tuple[str, int]] = []
        self.at_once = 0
        self._running = 0
        self._lock = threading.Lock()

    def grade(self, lab: Lab, folder: Path, seed: int | None = None, only: Sequence[str] = ()) -> LabResult:
        with self._lock:
            self.graded.append((folder.name, seed or lab.seed))
            self._running += 1
            self.at_once = max(self.at_once, self._running)
        time.sleep(0.002)
        try:
            text = (folder / "answer.txt").read_bytes().decode("utf-8", errors="replace")
        except OSError:
            text = "one not started\ntwo not started"
        finally:
            with self._lock:
                self._running -= 1
        if "breaks the engine" in text:
            raise RuntimeError("the engine broke")
        if "reports nothing" in text:
            return LabResult(lab.slug, lab.seed, ())
        said = dict(line.split(" ", 1) for line in text.splitlines() if line.startswith(("one ", "two ")))
        checks = []
        for name, points in (("one", 1), ("two", 2)):
            state = State(said.get(name, "failed"))
            if "refuses the other seed" in text and seed != lab.seed and name == "two":
                state = State.FAILED
            got = f"the {next(EVER)}th grading" if "flaky" in text else "something else"
            finding = (
                Finding(f"read line {name}", name, got, f"Write {name}.") if state is State.FAILED else None
            )
            seconds = 9.0 if "slow" in text and (self.at_once > 1 or "always slow" in text) else 0.1
            trace = "Traceback\nZeroDivisionError: division by zero" if state is State.OUR_FAULT else ""
            checks.append(
                CheckResult(name, f"says {name}", points, state, finding, traceback=trace, seconds=seconds)
            )
        if {check.title for check in checks} >= set(only) != set():
            checks = [check for check in checks if check.title in only]
        return LabResult(lab.slug, seed or lab.seed, tuple(checks))


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A course of one sound lab."""
    root = tmp_path / "course"
    folder = root / "stage7_later" / "01_tidy"
    write(root / "stage7_later", {"stage.toml": 'title = "Later"\nmonths = "20–24"\n'})
    write(folder, {"README.md": README, "lab.toml": LAB_TOML, "hints.md": HINTS})
    write(folder, {"checks/test_tidy.py": "# the stand-in needs none\n"})
    write(
        folder, {"solution/answer.txt": SOLUTION, "starter/answer.txt": "one not started\ntwo not started\n"}
    )
    write(folder, {"alternatives/shouts/answer.txt": "one passed\ntwo passed\n! loud\n"})
    mistakes = {
        "forgets_one": "one failed\ntwo could not check\n",
        "forgets_two": "one passed\ntwo failed\n",
        "forgets_two_quietly": "one passed\ntwo failed\nquietly\n",
        "forgets_both": "one failed\ntwo failed\n",
    }
    for name, answer in mistakes.items():
        write(folder / "mistakes" / name, {"answer.txt": answer})
    lab = catalogs.load(root).lab("tidy")
    for mistake in lab.mistakes:
        write(mistake, {"expected.txt": expected.plain(StandIn().grade(lab, mistake))})
    return root


def lab_folder(root: Path) -> Path:
    return root / "stage7_later" / "01_tidy"


def verdict_of(root: Path, grader: StandIn | None = None, fresh: bool = True, write: bool = False) -> Verdict:
    catalog = catalogs.load(root)
    out = io.StringIO()
    found = verifying.verify(
        catalog, catalog.labs, grader or StandIn(), Report(out), fresh=fresh, write=write
    )
    return next(iter(found))


def offences(verdict: Verdict) -> list[tuple[int, str, str]]:
    """(number of the gate, where, what is wrong) of every offender."""
    return [
        (number, offender.where, offender.wrong)
        for number, (_, offenders) in enumerate(verdict.gates, start=1)
        for offender in offenders
    ]


def test_a_sound_lab_passes_all_ten_gates(root: Path) -> None:
    verdict = verdict_of(root)
    assert offences(verdict) == []
    assert len(verdict.gates) == 10
    assert verdict.gradings == 1 + 2 + 2 + 4 + 3


def named(root: Path, fresh: bool = True) -> Verdict:
    catalog = catalogs.load(root)
    report = Report(io.StringIO())
    return next(verifying.verify(catalog, catalog.labs, StandIn(), report, fresh=fresh, named=True))


def test_a_lab_that_verified_whole_has_verified_by_its_named_checks_and_not_the_other_way(root: Path) -> None:
    assert named(root).ok
    assert named(root, fresh=False).unchanged
    assert not verdict_of(root, fresh=False).unchanged
    (lab_folder(root) / "hints.md").write_text(HINTS + "\n", encoding="utf-8")
    assert not named(root, fresh=False).unchanged
    assert verdict_of(root).ok
    assert named(root, fresh=False).unchanged and verdict_of(root, fresh=False).unchanged


def test_only_the_checks_that_a_mistake_is_known_to_fail_run_when_asked_for(root: Path) -> None:
    assert offences(named(root)) == []
    answer = lab_folder(root) / "mistakes" / "forgets_two" / "answer.txt"
    answer.write_text("one failed\ntwo failed\n", encoding="utf-8")  # it fails more than is written: not seen
    assert offences(named(root)) == []
    assert {gate for gate, _, _ in offences(verdict_of(root))} == {5}


def test_a_mistake_that_passes_what_it_is_known_to_fail_is_caught_by_the_named_checks_alone(
    root: Path,
) -> None:
    answer = lab_folder(root) / "mistakes" / "forgets_two" / "answer.txt"
    answer.write_text("one failed\ntwo passed\n", encoding="utf-8")
    [(gate, where, wrong)] = offences(named(root))
    assert (gate, where) == (5, "mistakes/forgets_two") and "no check fails it (3 of 3 points" in wrong


def test_an_expected_txt_that_names_no_check_of_the_lab_is_held_against_all_of_them(root: Path) -> None:
    expected_txt = lab_folder(root) / "mistakes" / "forgets_two" / "expected.txt"
    text = expected_txt.read_text(encoding="utf-8")
    expected_txt.write_text(text.replace("says two", "says three"), encoding="utf-8")
    [(gate, where, _)] = offences(named(root))
    assert (gate, where) == (5, "mistakes/forgets_two/expected.txt")


def test_titles_of_what_did_not_pass_are_read_from_the_feedback() -> None:
    text = "lab · 1 of 9 points\n\n✓ a  1 point\n✗ says `x`, and  more    3 points\n  did     ran\n– b  2 points\n"
    assert expected.not_passed(text) == ["says `x`, and  more", "b"]


def test_a_second_look_grades_right_answers_and_what_only_the_other_tier_shows(root: Path) -> None:
    def look(grader: StandIn) -> Verdict:
        catalog = catalogs.load(root)
        report, tier = Report(io.StringIO()), "local"
        return next(
            verifying.verify(catalog, catalog.labs, grader, report, fresh=True, tier=tier, second_look=True)
        )

    grader = StandIn()
    assert offences(look(grader)) == []
    assert len(grader.graded) == 1 + 1 + 1 + 3, (
        "one seed; no mistake: the embedded tier has shown them to be wrong"
    )

    mistakes = lab_folder(root) / "mistakes"
    for name in ("forgets_two", "forgets_two_quietly", "forgets_both"):
        (mistakes / name / "expected.txt").rename(mistakes / name / "expected.local.txt")
    again = StandIn()
    assert offences(look(again)) == []
    assert len(again.graded) == len(grader.graded) + 3

    for name in ("forgets_two", "forgets_two_quietly", "forgets_both"):
        write(mistakes / name, {"answer.txt": SOLUTION})
    unproven = [where for number, where, wrong in offences(look(StandIn())) if number == 6]
    assert unproven == ["checks/test_tidy.py"]
    assert not (root / ".labs").exists(), "a second look is not remembered"


def test_gradings_run_side_by_side(root: Path) -> None:
    grader = StandIn()
    verdict_of(root, grader)
    assert grader.at_once >= min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(lab: Path) -> None:
        text = (lab / name).read_text(encoding="utf-8")
        assert old in text
        (lab / name).write_text(text.replace(old, new), encoding="utf-8")

    return change


def holding(name: str, text: str) -> Callable[[Path], None]:
    return lambda lab: write(lab, {name: text})


def without(name: str) -> Callable[[Path], None]:
    return lambda lab: (lab / name).unlink()


def linked(lab: Path) -> None:
    (lab / "solution" / "link").symlink_to("/etc/hostname")


def bytes_that_are_no_text(name: str) -> Callable[[Path], None]:
    def change(lab: Path) -> None:
        (lab / name).write_bytes(b"\xff\xfe\x00")

    return change


VIOLATIONS = {
    # 1 anatomy
    "no brief": (without("README.md"), 1, "README.md", "it is not there"),
    "hints are no text": (bytes_that_are_no_text("hints.md"), 1, "hints.md", "it is not UTF-8 text"),
    "no checks": (without("checks/test_tidy.py"), 1, "checks/test_tidy.py", "it is not there"),
    "stray file": (holding("notes.txt", "x"), 1, "notes.txt", "no such entry"),
    "stray folder": (holding("data/rows.csv", "x"), 1, "data", "no such entry"),
    "left behind": (holding("solution/answer.txt.orig", "x"), 1, "solution/answer.txt.orig", "left behind"),
    "link": (linked, 1, "solution/link", "it is a link"),
    "empty folder": (lambda lab: (lab / "starter/logs").mkdir(), 1, "starter/logs/", "it is empty"),
    "loose mistake": (holding("mistakes/answer.txt", "x"), 1, "mistakes/answer.txt", "only folders"),
    "no expected.txt": (
        without("mistakes/forgets_one/expected.txt"),
        1,
        "mistakes/forgets_one/expected.txt",
        "not there",
    ),
    "same as the solution": (
        holding("mistakes/forgets_one/answer.txt", SOLUTION),
        1,
        "mistakes/forgets_one/answer.txt",
        "byte for byte",
    ),
    "expected.txt of an alternative": (
        holding("alternatives/shouts/expected.txt", "x"),
        1,
        "alternatives/shouts/expected.txt",
        "only a mistake",
    ),
    "removes what is not there": (
        holding("mistakes/forgets_one/removed.txt", "gone.txt\n"),
        1,
        "mistakes/forgets_one/removed.txt",
        "no `gone.txt`",
    ),
    "badly named mistake": (
        lambda lab: (lab / "mistakes/forgets_one").rename(lab / "mistakes/Forgets-One"),
        1,
        "mistakes/Forgets-One",
        "lower_case",
    ),
    "points do not add up": (replaced("lab.toml", "points = 3", "points = 4"), 1, "lab.toml", "add up to 3"),
    "after an unknown lab": (
        holding("lab.toml", LAB_TOML + 'after = ["nowhere"]\n'),
        1,
        "lab.toml",
        "`nowhere`",
    ),
    "contract without a file": (
        replaced("lab.toml", '["answer.txt"]', '["answer.txt", "Makefile"]'),
        1,
        "solution/Makefile",
        "contract names it",
    ),
    # 2 starter
    "starter fails": (holding("starter/answer.txt", "one failed\n"), 2, "starter/", "it fails `one`"),
    "starter passes": (holding("starter/answer.txt", SOLUTION), 2, "starter/", "it passes `one`"),
    "starter breaks": (
        holding("starter/answer.txt", "one our fault\ntwo not started\n"),
        2,
        "starter/",
        "ZeroDivisionError",
    ),
    "starter is not checked": (
        holding("starter/answer.txt", "one could not check\ntwo could not check\n"),
        2,
        "starter/",
        "reads “could not check”",
    ),
    "starter breaks the engine": (
        holding("starter/answer.txt", "breaks the engine"),
        2,
        "starter",
        "RuntimeError: the engine broke",
    ),
    # 3 solution
    "solution fails": (
        holding("solution/answer.txt", "one failed\ntwo passed\n"),
        3,
        "solution (seed 7)",
        "`one` reads “failed”",
    ),
    "solution fails on the other seed": (
        holding("solution/answer.txt", SOLUTION + "refuses the other seed\n"),
        3,
        "solution (seed 8)",
        "`two` reads “failed”",
    ),
    "solution is not checked": (
        holding("solution/answer.txt", "one could not check\ntwo passed\n"),
        3,
        "solution (seed 7)",
        "could not be checked",
    ),
    "no check reported": (
        holding("solution/answer.txt", "reports nothing\n"),
        3,
        "solution (seed 7)",
        "no check",
    ),
    # 4 alternatives
    "alternative fails on the other seed": (
        holding("alternatives/shouts/answer.txt", SOLUTION + "refuses the other seed\n"),
        4,
        "alternatives/shouts (seed 8)",
        "`two` reads “failed”",
    ),
    # 5 mistakes
    "mistake passes everything": (
        holding("mistakes/forgets_one/answer.txt", SOLUTION + "\n"),
        5,
        "mistakes/forgets_one",
        "no check fails it",
    ),
    "feedback differs": (
        replaced("mistakes/forgets_one/expected.txt", "something else", "nothing"),
        5,
        "mistakes/forgets_one/expected.txt",
        "the feedback says",
    ),
    "feedback is cut short": (
        lambda lab: write(lab / "mistakes/forgets_one", {"expected.txt": "tidy\n"}),
        5,
        "mistakes/forgets_one/expected.txt",
        "line 1",
    ),
    "mistake breaks a check": (
        holding("mistakes/forgets_one/answer.txt", "one our fault\ntwo failed\n"),
        5,
        "mistakes/forgets_one",
        "our fault",
    ),
    # 6 every check is failed
    "a check that nothing fails": (
        lambda lab: [
            write(lab / "mistakes" / name, {"answer.txt": "one passed\ntwo failed\n"})
            for name in ("forgets_one", "forgets_both")
        ],
        6,
        "checks/test_tidy.py",
        "no mistake fails `one`",
    ),
    # 7 hints
    "a check without hints": (replaced("hints.md", "## two", "### two"), 7, "hints.md", "`two` has 0 of 3"),
    "a hint without a check": (
        holding("hints.md", HINTS + "\n## three\n1. a\n"),
        7,
        "hints.md",
        "`## three`",
    ),
    "a heading in prose": (
        holding("hints.md", HINTS + "\n## Look here\n1. a\n"),
        7,
        "hints.md",
        "`## Look here`",
    ),
    "a heading twice": (holding("hints.md", HINTS + HINTS), 7, "hints.md", "`## one` stands there 2 times"),
    "too few hints": (
        replaced("hints.md", "2. Look at line one.\n", ""),
        7,
        "hints.md",
        "`one` has 2 of 3 hints",
    ),
    # 8 brief
    "no story": (replaced("README.md", "At 3 AM the answer was wrong.\n", ""), 8, "README.md", "no story"),
    "headings out of order": (
        replaced("README.md", "## Contract", "## The contract"),
        8,
        "README.md",
        "headings are: You will be able to, The contract",
    ),
    "outcomes without numbers": (
        replaced("README.md", "1. Answer.", "Answer."),
        8,
        "README.md",
        "numbered list",
    ),
    "no check list": (replaced("README.md", "- [ ] Every", "Every"), 8, "README.md", "is no check list"),
    "contract names no file": (
        replaced("README.md", "`answer.txt` holds", "It holds"),
        8,
        "README.md",
        "`answer.txt`",
    ),
    "empty section": (replaced("README.md", "Ticks.", ""), 8, "README.md", "nothing stands under"),
    "a block that is not run": (
        replaced("README.md", "```console", "```bash"),
        8,
        "README.md line 15",
        "never be run",
    ),
    "an open block": (replaced("README.md", "1\n```\n", "1\n"), 8, "README.md line 15", "not closed"),
    "output differs": (
        replaced("README.md", "one passed\n…", "one failed\n…"),
        8,
        "README.md line 17",
        "one failed",
    ),
    "more output than shown": (
        replaced("README.md", "passed\n…", "passed"),
        8,
        "README.md line 17",
        "prints more",
    ),
    "a command fails": (
        replaced("README.md", "cat answer", "cat wrong"),
        8,
        "README.md line 17",
        "it exits 1",
    ),
    "a failure that is none": (
        replaced("README.md", "$ false", "$ true"),
        8,
        "README.md line 20",
        "it exits 0",
    ),
    "the shell ends": (
        replaced("README.md", "$ false", "$ exit 3"),
        8,
        "README.md line 20",
        "it ended the shell",
    ),
    # 9 time
    "a slow check": (
        holding("solution/answer.txt", SOLUTION + "always slow\n"),
        9,
        "checks/test_tidy.py",
        "`one` took 9.0 s of the 5 s",
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_caught_where_it_is(name: str, root: Path) -> None:
    change, gate, where, wrong = VIOLATIONS[name]
    change(lab_folder(root))
    verdict = verdict_of(root)
    found = offences(verdict)
    assert not verdict.ok
    assert any(g == gate and w.split(":")[0] == where and wrong in text for g, w, text in found), found
    assert all(o.mend for _, offenders in verdict.gates for o in offenders)


def test_too_few_mistakes_and_no_alternative(root: Path) -> None:
    import shutil

    shutil.rmtree(lab_folder(root) / "mistakes" / "forgets_both")
    shutil.rmtree(lab_folder(root) / "alternatives")
    found = offences(verdict_of(root))
    assert (1, "mistakes/", "it holds 3 of at least 4 mistakes") in found
    assert (1, "alternatives/", "it holds none") in found
    assert (4, "alternatives/", "there is none to grade") in found


def test_a_lab_without_a_solution_is_a_list_of_offenders_not_a_crash(root: Path) -> None:
    import shutil

    shutil.rmtree(lab_folder(root) / "solution")
    shutil.rmtree(lab_folder(root) / "starter")
    gates = {gate for gate, _, _ in offences(verdict_of(root))}
    assert {1, 2, 3, 4, 5, 6, 7, 9, 10} <= gates


class Gullible(StandIn):
    """A grader that breaks on bytes, and pays for an empty folder and for strangers."""

    def grade(self, lab: Lab, folder: Path, seed: int | None = None, only: Sequence[str] = ()) -> LabResult:
        result = super().grade(lab, folder, seed, only)
        state = State.PASSED
        if (folder / "answer.txt").is_file():
            if b"\x00" not in (folder / "answer.txt").read_bytes():
                return result
            state = State.OUR_FAULT
        return replace(
            result, checks=(replace(result.checks[0], state=state, finding=None), *result.checks[1:])
        )


def test_gate_10_catches_what_breaks_or_earns_on_breakage(root: Path) -> None:
    found = {(where, wrong) for gate, where, wrong in offences(verdict_of(root, Gullible())) if gate == 10}
    assert ("an empty folder", "it earns 1 points from `one`") in found
    assert ("another lab's files", "it earns 1 points from `one`") in found
    assert any(where == "files that are not text" and "our fault" in wrong for where, wrong in found)


def test_a_mistake_with_unstable_feedback_is_caught_in_a_fresh_run(root: Path) -> None:
    folder = lab_folder(root) / "mistakes" / "forgets_two"
    write(folder, {"answer.txt": "one passed\ntwo failed\nflaky\n"})
    verdict_of(root, write=True)
    found = [wrong for gate, _, wrong in offences(verdict_of(root)) if gate == 5]
    assert found and "th grading" in found[0]
    text = (folder / "expected.txt").read_text(encoding="utf-8")
    got = next(line for line in text.splitlines() if "th grading" in line)
    covered = text.replace(got, got.split("the ")[0] + "the ⟨any⟩th grading")
    (folder / "expected.txt").write_text(covered, encoding="utf-8")
    assert verdict_of(root).ok


def test_a_check_that_was_only_slow_among_others_is_timed_again_alone(root: Path) -> None:
    write(lab_folder(root), {"solution/answer.txt": SOLUTION + "slow\n"})

    class Contended(StandIn):
        def grade(
            self, lab: Lab, folder: Path, seed: int | None = None, only: Sequence[str] = ()
        ) -> LabResult:
            self.at_once = 2 if len(self.graded) < 12 else 0
            return super().grade(lab, folder, seed, only)

    verdict = verdict_of(root, Contended())
    assert verdict.ok, str(verdict)
    assert verdict.slowest_check == pytest.approx(0.1)


# --write


def test_write_writes_what_differs_shows_it_and_leaves_the_rest(root: Path) -> None:
    wrong = lab_folder(root) / "mistakes" / "forgets_one" / "expected.txt"
    right = lab_folder(root) / "mistakes" / "forgets_two" / "expected.txt"
    wanted, before = wrong.read_text(encoding="utf-8"), right.stat().st_mtime_ns
    wrong.write_text("old\n", encoding="utf-8")
    catalog, out = catalogs.load(root), io.StringIO()
    [verdict] = verifying.verify(catalog, catalog.labs, StandIn(), Report(out), write=True)
    assert verdict.ok
    assert wrong.read_text(encoding="utf-8") == wanted
    assert right.stat().st_mtime_ns == before
    assert "-old" in out.getvalue() and "forgets_one/expected.txt (now)" in out.getvalue()


def test_write_never_writes_for_a_mistake_that_passes_or_breaks(root: Path) -> None:
    mistakes = lab_folder(root) / "mistakes"
    write(mistakes / "forgets_one", {"answer.txt": SOLUTION + "\n", "expected.txt": "old\n"})
    write(mistakes / "forgets_two", {"answer.txt": "one our fault\ntwo failed\n", "expected.txt": "old\n"})
    verdict = verdict_of(root, write=True)
    assert not verdict.ok
    assert (mistakes / "forgets_one/expected.txt").read_text(encoding="utf-8") == "old\n"
    assert (mistakes / "forgets_two/expected.txt").read_text(encoding="utf-8") == "old\n"


def test_write_keeps_a_wildcard_that_still_covers_its_line(root: Path) -> None:
    path = lab_folder(root) / "mistakes" / "forgets_one" / "expected.txt"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("something else", "⟨any⟩ else") + "one line too many\n", encoding="utf-8")
    assert verdict_of(root, write=True).ok
    assert "⟨any⟩ else" in path.read_text(encoding="utf-8")
    assert "too many" not in path.read_text(encoding="utf-8")


# memory


def test_an_unchanged_lab_is_skipped_until_something_changes(root: Path) -> None:
    assert verdict_of(root, fresh=False).gradings
    grader = StandIn()
    assert verdict_of(root, grader, fresh=False).unchanged
    assert not grader.graded
    assert not verdict_of(root, fresh=True).unchanged
    write(lab_folder(root), {"hints.md": HINTS + "\n"})
    assert not verdict_of(root, fresh=False).unchanged


def test_a_failure_is_never_remembered_and_forgets_an_older_success(root: Path) -> None:
    assert verdict_of(root).ok
    assert verdict_of(root, fresh=False).unchanged
    assert not verdict_of(root, Gullible(), fresh=True).ok
    assert not verdict_of(root, fresh=False).unchanged


@pytest.mark.parametrize("body", ["", "[]", '{"verified": 3}', "\x00"])
def test_a_damaged_memory_is_no_memory(root: Path, body: str) -> None:
    verdict_of(root)
    [kept] = (root / ".labs" / "verify").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))["lab"] == "tidy"
    kept.write_text(body, encoding="utf-8")
    assert not verdict_of(root, fresh=False).unchanged


def test_what_python_leaves_behind_is_no_change(root: Path) -> None:
    lab = catalogs.load(root).lab("tidy")
    mark = of_rules(lab)
    write(lab.folder, {"solution/__pycache__/answer.pyc": "x"})
    assert of_rules(lab) == mark
    (lab.solution / "answer.txt").chmod(0o755)
    assert of_rules(lab) != mark


def test_ci_is_always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, fresh in (("true", True), ("1", True), ("false", False), ("", False)):
        monkeypatch.setenv("CI", value)
        assert verifying.in_ci() is fresh


# main


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import labs.grading

    class Entered(StandIn):
        def __init__(self, root: Path, warm: tuple[str, ...] = (), tier: str = "embedded") -> None:
            super().__init__()

        def __enter__(self) -> Entered:
            return self

        def __exit__(self, *_: object) -> None:
            return

    monkeypatch.setattr(labs.grading, "Grader", Entered, raising=False)
    yield


@pytest.mark.usefixtures("stand_in")
def test_main_prints_a_line_per_gate_a_table_and_no_colour_into_a_pipe(root: Path) -> None:
    out = io.StringIO()
    assert verifying.main((), root=root, out=out) == 0
    said = out.getvalue()
    assert said.count("  ✓ ") == 10
    assert "seeds 7 and 8" in said
    assert "1 of 1 labs verify" in said
    assert "\x1b" not in said


@pytest.mark.usefixtures("stand_in")
def test_main_says_what_is_wrong_and_how_to_mend_it(root: Path) -> None:
    write(lab_folder(root), {"notes.txt": "x"})
    out = io.StringIO()
    assert verifying.main(("tidy",), root=root, out=out) == 1
    assert "✗ The anatomy is whole" in out.getvalue()
    assert "wrong the anatomy has no such entry" in out.getvalue()
    assert "mend  Move it" in out.getvalue()


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("names", [(), ("stage7",), ("tidy", "odd"), ("tidy", "02_odd")])
def test_a_malformed_lab_toml_is_said_and_the_other_labs_are_verified(
    root: Path, names: tuple[str, ...]
) -> None:
    write(root / "stage7_later", {"02_odd/lab.toml": "slug = odd\n"})
    out = io.StringIO()
    assert verifying.main(names, root=root, out=out) == 1
    assert "02_odd/lab.toml: not TOML" in out.getvalue()
    assert "1 could not be read" in out.getvalue()


@pytest.mark.usefixtures("stand_in")
def test_only_a_malformed_lab(root: Path) -> None:
    write(root / "stage7_later", {"02_odd/lab.toml": "slug = odd\n"})
    out = io.StringIO()
    assert verifying.main(("odd",), root=root, out=out) == 1
    assert "02_odd/lab.toml: not TOML" in out.getvalue()


@pytest.mark.usefixtures("stand_in")
def test_an_unknown_lab_is_bad_input(root: Path) -> None:
    out = io.StringIO()
    assert verifying.main(("tidi",), root=root, out=out) == 2
    assert "Did you mean `tidy`?" in out.getvalue()


def test_ctrl_c_ends_with_130(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogs, "load", interrupt)
    out = io.StringIO()
    assert verifying.main((), root=root, out=out) == 130
    assert "Stopped" in out.getvalue()


# the brief


def test_blocks_below_a_step_are_commands_too() -> None:
    indented = "1. Do it:\n\n   ```console\n   $ a\n     b\n   ```\n\n"
    text = f"{indented}````text\n```console\n$ c\n````\n~~~console\n$ d\n~~~\n"
    assert [(c.text, c.shown) for c in commands_of(text)] == [("a", ("  b",)), ("d", ())]


def test_a_second_prompt_continues_a_command() -> None:
    (command,) = commands_of("```console\n$ python -c '\n> print(1)\n> print(2)'\n1\n2\n```\n")
    assert command.text == "python -c '\nprint(1)\nprint(2)'"
    assert command.shown == ("1", "2")


def test_commands_go_over_lines_and_into_here_documents() -> None:
    text = "```console\n$ a \\\n> b\nshown\n$ cat <<END\n> x\nEND\n$ c  # exits 12\n```\n```text\n$ d\n```\n"
    commands = list(commands_of(text))
    assert [c.text for c in commands] == ["a \\\nb", "cat <<END\nx\nEND", "c"]
    assert [c.exits for c in commands] == [0, 0, 12]
    assert [c.shown for c in commands] == [("shown",), (), ()]
    assert [c.line for c in commands] == [2, 5, 8]


@pytest.mark.parametrize(
    ("shown", "printed", "agrees"),
    [
        (["a"], "a\n", True),
        (["a", "…", "d"], "a\nb\nc\nd\n", True),
        (["a", "…", "d"], "a\nd\n", True),
        (["…", "d"], "d\ne\n", False),
        (["took … s"], "took 0.3 s", True),
        (["took … s"], "took\n0.3 s", False),
        (["a.b"], "axb", False),
        ([], "anything", True),
        (["", "a  ", ""], "\na\n\n\n", True),
        (["green"], "\x1b[32mgreen\x1b[0m\n", True),
        (["100 %"], "10 %\r100 %\n", True),
        (["…", "b", "…", "b"], "b\nb\n", True),
    ],
)
def test_shown_output_is_compared(shown: list[str], printed: str, agrees: bool) -> None:
    assert (difference(shown, printed) == "") is agrees


def with_steps(root: Path, *lines: str) -> None:
    steps = "\n".join(("```console", *lines, "```"))
    head, rest = README.split("```console", 1)
    write(lab_folder(root), {"README.md": head + steps + rest.split("```", 1)[1]})


def brief_offences(root: Path) -> list[str]:
    return [wrong for gate, _, wrong in offences(verdict_of(root)) if gate == 8]


def test_one_shell_in_a_scratch_course_with_a_home_of_its_own(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABS_WORK", "/nowhere")
    with_steps(
        root,
        '$ X=1; cd work/tidy; touch "$HOME/mine" new.txt',
        '$ echo $X; ls; ls "$LABS_ROOT"; echo "<$LABS_WORK>"; cat',
        "1",
        "answer.txt",
        "new.txt",
        "stage7_later",
        "work",
        "<>",
        "$ command -v labs",
        "…/bin/labs",
    )
    assert brief_offences(root) == []
    assert not (lab_folder(root) / "solution" / "new.txt").exists()
    assert not (root / "work").exists()


def test_progress_on_the_other_stream_does_not_disturb_what_is_shown(root: Path) -> None:
    with_steps(
        root,
        "$ echo working >&2; echo done; echo working >&2",
        "done",
        "$ echo refused >&2; false  # exits 1",
        "refused",
        "$ (sleep 0.2; echo ready >&2; sleep 60) &",
        "ready",
    )
    assert brief_offences(root) == []


def test_what_is_left_running_is_ended(root: Path) -> None:
    script = "import os,time; os.setsid(); print('ready', flush=True); time.sleep(300)"
    with_steps(
        root,
        f'$ python -c "{script}" verify-left-running &',
        "ready",
        '$ sleep 300 & echo "$!" > /dev/null',
        "$ echo on",
        "on",
    )
    assert brief_offences(root) == []
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if "verify-left-running" in (p.info["cmdline"] or [])
    ]


def test_a_command_that_hangs_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labs.verify.session.COMMAND_SECONDS", 0.5)
    with_steps(root, "$ echo begun; sleep 60")
    [wrong] = brief_offences(root)
    assert "did not end within 0.5 s" in wrong
    assert "| begun" in wrong


def test_a_background_command_that_never_gets_ready_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labs.verify.session.COMMAND_SECONDS", 0.5)
    with_steps(root, "$ echo port is taken &", "ready")
    [wrong] = brief_offences(root)
    assert "does not print the line that the brief shows: ready" in wrong


def test_a_port_that_is_taken_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labs.verify.session.PORT_SECONDS", 0.1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with_steps(root, f"$ curl -s localhost:{port}")
        [wrong] = brief_offences(root)
    assert f"port {port} is taken" in wrong


# the real grader


def test_the_real_grader_and_a_lab_with_many_faults(tmp_path: Path) -> None:
    from labs import scaffold

    write(tmp_path, {"stage1_first/stage.toml": 'title = "T"\nmonths = "0–1"\n'})
    lab = scaffold.new(catalogs.load(tmp_path), "1", "warm_the_cache", "Warm")
    replaced("solution/answer.py", "return 0.0", "return 0.5")(lab)
    replaced("README.md", "$ labs check warm_the_cache", "$ labs check warm_the_cache  # exits 1")(lab)
    write(lab, {"starter/answer.py": "import nowhere\n"})
    write(lab, {"alternatives/uses_numpy/answer.py": "def slow_share(seconds, limit):\n    return [\n"})
    write(lab, {"mistakes/answers_in_percent/answer.py": (lab / "solution/answer.py").read_text() + "\n"})
    checks = lab / "checks/test_warm_the_cache.py"
    checks.write_text(
        checks.read_text().replace(
            "    answer = work.call", "    assert work.files()\n    answer = work.call"
        )
    )
    out = io.StringIO()
    assert verifying.main((), fresh=True, root=tmp_path, out=out) == 1
    said = out.getvalue()
    for wrong in (
        "it fails `counts_what_is_slower`: ModuleNotFoundError: No module named 'nowhere' at answer.py:1",
        "`answers_zero_without_traffic` reads “failed”: 0.5",
        "`counts_what_is_slower` reads “failed”: SyntaxError",
        "it does not print the line that the brief shows: warm_the_cache · 4 of 4 points",
    ):
        assert wrong in said, said
    assert not (tmp_path / ".labs" / "verify").exists() or not list((tmp_path / ".labs" / "verify").iterdir())
