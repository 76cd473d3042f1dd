"""Checks of one grading run side by side, and nothing but the waiting changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from faulty import LAB_TOML, make_lab, make_work

from labs.catalog import Lab
from labs.grading import Grader
from labs.results import CheckResult, LabResult, State

CHECKS = '''"""Checks that meet each other, count what they share, and break."""

import os
import time
from pathlib import Path

import pytest

from labs.checks import check

MEETING = Path(os.getcwd()).parent / "meeting"


def meet(me, other):
    """Leave a word, wait for the other's: both come back only if both run at the same time."""
    MEETING.mkdir(exist_ok=True)
    (MEETING / me).touch()
    deadline = time.monotonic() + 20
    while not (MEETING / other).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return (MEETING / other).exists()


@pytest.fixture(scope="session")
def shared():
    return []


@check(points=1)
def prepares(work, shared):
    """prepares what others use"""
    shared.append("prepared")


@check(points=1, after=prepares)
def is_here(work, shared):
    """meets the other"""
    if not meet("here", "there"):
        work.run("true").fail(wanted="the other", got="nobody")


@check(points=1, after=prepares)
def is_there(work, shared):
    """meets the one"""
    if not meet("there", "here"):
        work.run("true").fail(wanted="the one", got="nobody")


@check(points=1, after=prepares)
def finds_what_was_prepared(work, shared):
    """finds what the first check prepared"""
    if shared != ["prepared"]:
        work.run("true").fail(wanted="prepared", got=shared)


@check(points=1)
def fails(work):
    """fails"""
    work.run("true").fail(wanted="1", got="2", hint="Look again.")


@check(points=1)
def breaks(work):
    """breaks"""
    os._exit(9)


@check(points=1, after=fails)
def waits(work):
    """waits for what fails"""


@check(points=1)
def raises(work):
    """has a bug of ours"""
    raise RuntimeError("a bug of ours")


@check(points=1)
def adds(work):
    """adds two numbers"""
    work.call("sums.py:add", 2, 3).expect(value=5)
'''


def graded(tmp_path: Path, lanes: int, checks: str = CHECKS) -> LabResult:
    lab: Lab = make_lab(tmp_path / "course", checks=checks, toml=LAB_TOML.replace("points = 4", "points = 9"))
    with Grader(lab.folder.parent.parent, lanes=lanes) as grader:
        return grader.grade(lab, make_work(tmp_path / "work"))


def of(result: LabResult, name: str) -> CheckResult:
    return next(check for check in result.checks if check.name == name)


def test_two_checks_run_at_the_same_time_and_keep_their_order(tmp_path: Path) -> None:
    result = graded(tmp_path, lanes=2)
    states = [(check.name, check.state) for check in result.checks]
    assert states == [
        ("prepares", State.PASSED),
        ("is_here", State.PASSED),
        ("is_there", State.PASSED),
        ("finds_what_was_prepared", State.PASSED),
        ("fails", State.FAILED),
        ("breaks", State.OUR_FAULT),
        ("waits", State.COULD_NOT_CHECK),
        ("raises", State.OUR_FAULT),
        ("adds", State.PASSED),
    ]
    assert of(result, "breaks").because == "the check did not report"
    assert "a bug of ours" in of(result, "raises").traceback
    assert result.isolation.rung


def test_side_by_side_says_what_one_after_the_other_says(tmp_path: Path) -> None:
    alone = CHECKS.replace("return (MEETING / other).exists()", "return True").replace("os._exit(9)", "pass")
    alone = alone.replace("time.monotonic() + 20", "0")
    first = graded(tmp_path / "first", lanes=1, checks=alone)
    second = graded(tmp_path / "second", lanes=3, checks=alone)

    def plain(result: LabResult) -> list[CheckResult]:
        return [replace(check, seconds=0.0, traceback="") for check in result.checks]

    assert plain(first) == plain(second)
    assert first.isolation == second.isolation


WHEN = (
    CHECKS.split("@check", 1)[0]
    + '''
@check(points=1)
def cheap(work):
    """meets the other, beside it"""
    if not meet("cheap", "other"):
        work.run("true").fail(wanted="the other", got="nobody")


@check(points=1)
def other(work):
    """meets the cheap one"""
    if not meet("other", "cheap"):
        work.run("true").fail(wanted="the cheap one", got="nobody")


@check(points=1)
def wrong(work):
    """fails"""
    work.run("true").fail(wanted="1", got="2")


@check(points=1, when=(cheap, other))
def dear(work):
    """runs when both have passed"""
    (MEETING / "dear").touch()


@check(points=1, when=(cheap, wrong))
def spared(work):
    """does not run when one has failed"""
    (MEETING / "spared").touch()
'''
)


def test_dear_checks_wait_for_cheap_ones_that_run_beside_each_other(tmp_path: Path) -> None:
    """`side_by_side` doubles one lane: the two meet."""
    toml = LAB_TOML.replace("points = 4", "points = 5\nside_by_side = 2")
    lab = make_lab(tmp_path / "course", checks=WHEN, toml=toml)
    assert lab.side_by_side == 2
    with Grader(tmp_path, lanes=1) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    states = {check.name: check.state for check in result.checks}
    passed = dict.fromkeys(("cheap", "other", "dear"), State.PASSED)
    assert states == {**passed, "wrong": State.FAILED, "spared": State.COULD_NOT_CHECK}
    assert next(check for check in result.checks if check.name == "spared").because == 'needs "fails"'


CHAIN = '''
from labs.checks import check


@check(points=1)
def first(work):
    """begins"""


@check(points=1, after=first)
def second(work):
    """goes on"""


@check(points=1, when=second)
def third(work):
    """ends"""


@check(points=1)
def alone(work):
    """stands by itself"""
'''


def test_one_check_runs_with_those_that_it_stands_on(tmp_path: Path) -> None:
    """`after` and `when` are followed; a title serves as well as a name; an unknown one asks for everything."""
    lab = make_lab(tmp_path / "course", checks=CHAIN)
    work = make_work(tmp_path / "work")
    for lanes in (1, 3):
        with Grader(tmp_path, lanes=lanes) as grader:

            def names(*only: str) -> list[str]:
                return [check.name for check in grader.grade(lab, work, only=only).checks]

            assert names("alone") == ["alone"]
            assert names("ends") == ["first", "second", "third"]
            assert names("alone", "goes on", "second") == ["first", "second", "alone"]
            assert names("alone", "no such check") == names() == ["first", "second", "third", "alone"]


LEFT_BEHIND = '''
import gc
import os
from pathlib import Path

from labs.checks import check

ENDED = Path(os.getcwd()).parent / "ended"


class Pool:
    """As a library with threads of its own: it ends well where it began, and hangs in a fork."""

    def __init__(self):
        self.myself, self.began = self, os.getpid()

    def __del__(self):
        if os.getpid() != self.began:
            ENDED.touch()


@check(points=1)
def leaves_something(work):
    """leaves an object that only the garbage collector can end"""
    gc.disable()
    Pool()


@check(points=1, after=leaves_something)
def collects(work):
    """does not end it in a fork"""
    gc.collect()
    if ENDED.exists():
        work.run("true").fail(wanted="left alone", got="ended in the fork")
'''


def test_what_the_judge_leaves_behind_is_not_ended_in_a_fork(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "course", checks=LEFT_BEHIND, toml=LAB_TOML.replace("points = 4", "points = 2"))
    with Grader(tmp_path, lanes=2) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    assert [check.state for check in result.checks] == [State.PASSED, State.PASSED], result.checks


WAITS = '''
from labs.checks import check

def waiter(work):
    work.run("python3", "-c", "import time; time.sleep(60)", timeout=3).fail(wanted="an end", got="none")


@check(points=1)
def first(work):
    """waits"""
    waiter(work)


@check(points=1)
def second(work):
    """waits, too"""
    waiter(work)


@check(points=1)
def third(work):
    """waits as well"""
    waiter(work)


@check(points=1)
def fourth(work):
    """would wait"""
    waiter(work)
'''


@pytest.mark.parametrize("lanes", [1, 2])
def test_work_that_waits_for_ever_does_not_get_the_whole_time_of_every_check(
    lanes: int, tmp_path: Path
) -> None:
    toml = LAB_TOML.replace("wall_seconds = 30", "wall_seconds = 5")
    lab = make_lab(tmp_path / "course", checks=WAITS, toml=toml)
    with Grader(lab.folder.parent.parent, lanes=lanes) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    first, second, _, last = result.checks
    assert (first.state, second.state, last.state) == (State.FAILED, State.FAILED, State.COULD_NOT_CHECK)
    assert "went on for too long" in last.because
