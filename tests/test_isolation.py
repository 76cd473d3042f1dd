"""Each rung stops what it promises, shown by attacks; a rung whose promise is broken is not claimed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from faulty import LAB_TOML, make_lab, make_work

from labs.grading import Grader, keeper
from labs.grading.canaries import Canary, Flight, fly
from labs.grading.confine import LAYERS, rung
from labs.grading.trust import MEMORY, proven, remember
from labs.results import RUNGS, Isolation, State

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the layers are Linux's; elsewhere every rung is open"
)
LOCKED = tuple(layer for layer in LAYERS if layer != "namespaces")


@linux
@pytest.mark.parametrize("allowed", [LAYERS, LOCKED], ids=["best rung of this machine", "locked"])
def test_every_canary_is_stopped_that_the_rung_promises(allowed: tuple[str, ...], tmp_path: Path) -> None:
    with Grader(tmp_path, allowed=allowed) as grader:
        flight = fly(grader.place)
    assert not flight.works
    reached = RUNGS.index(flight.isolation.rung)
    through = [
        canary for canary in flight.canaries if not canary.stopped and RUNGS.index(canary.least) <= reached
    ]
    assert not through
    assert flight.trusted == flight.isolation.rung
    assert flight.isolation.rung != "sealed" or allowed == LAYERS


@linux
def test_the_canaries_do_bite_where_nothing_holds_them(tmp_path: Path) -> None:
    with Grader(tmp_path, allowed=("limits",)) as grader:
        flight = fly(grader.place)
    assert not flight.works
    got_through = {canary.name for canary in flight.canaries if not canary.stopped}
    assert {
        "reads a hidden file",
        "writes outside of its folder",
        "reaches the machine's TCP ports",
    } <= got_through
    assert flight.trusted == "open"
    always = {"leaves a daemon behind", "forks without end", "takes all memory", "fills the disk"}
    assert not always & got_through


def test_a_rung_whose_promise_is_broken_is_not_trusted() -> None:
    held = dict.fromkeys(LAYERS, "held")
    canaries = tuple(
        Canary(name, "", least, True, "") for name, least in (("a", "locked"), ("b", "separate user"))
    )
    flight = Flight(Isolation(rung(held), held), canaries)
    assert flight.trusted == "sealed"
    assert (
        replace(flight, canaries=(replace(canaries[0], stopped=False), canaries[1])).trusted
        == "separate user"
    )
    assert replace(flight, canaries=(canaries[0], replace(canaries[1], stopped=False))).trusted == "open"
    assert replace(flight, works="honest work fails").trusted == "open"


def test_the_rung_is_remembered_for_this_machine_only(tmp_path: Path) -> None:
    with Grader(tmp_path) as grader:
        first = proven(grader.place, tmp_path)
        assert (tmp_path / MEMORY).exists() or sys.platform != "linux"
        flight = Flight(Isolation("open", {}), ())
        remember(flight, grader.allowed, tmp_path)
        assert proven(grader.place, tmp_path) == "open", "what is remembered for the same machine is used"
        (tmp_path / MEMORY).write_text('{"key": "another machine", "rung": "sealed"}')
        assert proven(grader.place, tmp_path) == first
        (tmp_path / MEMORY).write_text("not json")
        assert proven(grader.place, tmp_path) == first


@linux
@pytest.mark.parametrize("allowed", [LOCKED, ("limits",)], ids=["locked", "open"])
def test_honest_work_passes_on_every_rung(allowed: tuple[str, ...], tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "course")
    with Grader(tmp_path, allowed=allowed) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    assert result.state is State.PASSED, result
    assert result.isolation.rung == ("locked" if "landlock" in allowed else "open")


SPY = """
import os


def add(a, b):
    return [key for key in os.environ if "SECRET" in key or "TRACK" in key]
"""


def test_a_learner_sees_nothing_of_the_callers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-leak-me")
    lab = make_lab(tmp_path / "course")
    with Grader(tmp_path) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work", sums_py=SPY))
    adds = result.checks[0]
    assert adds.state is State.FAILED
    assert adds.finding is not None
    assert adds.finding.got == '["DO_NOT_TRACK"]'


SEED = 703_118_224_661  # like no number that a command line holds for another reason
SEARCH = f"""
import sys


def add(a, b):
    held = open("/proc/self/cmdline").read() if sys.platform == "linux" else ""
    return [place for place in [held, *sys.path] if "{SEED}" in place or "01_sums" in place]
"""


def test_the_seed_is_on_no_command_line_and_the_checks_on_no_path(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "course", toml=LAB_TOML.replace("seed = 11", f"seed = {SEED}"))
    assert lab.seed == SEED
    with Grader(tmp_path) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work", sums_py=SEARCH))
    finding = result.checks[0].finding
    assert finding is not None
    assert finding.got == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="the keeper asks /proc")
def test_a_fork_is_told_from_another_program() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        fork = os.fork()
        if not fork:
            signal.pause()
        try:
            assert keeper._is_a_fork(fork), "what the warm parent imported is not the learner's memory"
            assert not keeper._is_a_fork(other.pid)
        finally:
            os.kill(fork, signal.SIGKILL)
            os.waitpid(fork, 0)
            other.kill()
