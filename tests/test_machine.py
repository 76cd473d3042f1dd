"""Real things (a Docker engine, say) are used where they answer, and are never a silent pass where they do not."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from faulty import CHECKS, LAB_TOML, make_lab, make_work

from labs import catalog as catalogs
from labs import machine, render, verify
from labs.catalog import Lab
from labs.errors import LabsError
from labs.fingerprint import of_rules
from labs.grading import Grader
from labs.results import CheckResult, Finding, LabResult, State
from labs.verify.case import Case
from labs.verify.gradings import grade_all, wanted

NEEDS_AN_ENGINE = """

@check(points=3, needs=("docker engine",))
def builds(work):
    \"\"\"builds\"\"\"
    work.run("true").fail(wanted="nothing", got="something")


@check(points=2, after=builds)
def rebuilds(work):
    \"\"\"builds again\"\"\"
    work.run("true").fail(wanted="nothing", got="something")
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A command `docker` whose exit status stands in the file that this gives."""
    status = tmp_path / "status"
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexit "$(cat {status})"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    machine._answers.cache_clear()
    yield status
    machine._answers.cache_clear()


def test_a_real_thing_counts_only_if_it_answers(docker: Path) -> None:
    docker.write_text("1")
    assert machine.lacks("docker engine") == "no Docker engine"
    machine._answers.cache_clear()
    docker.write_text("0")
    assert machine.lacks("docker engine") == ""
    assert machine.lacks("docker engine", machine.EMBEDDED) == "no Docker engine"


def test_a_command_is_looked_for_at_every_tier() -> None:
    for tier in (machine.EMBEDDED, machine.LOCAL):
        assert machine.lacks("sh", tier) == ""
        assert machine.lacks("no-such-command", tier) == "no no-such-command on this machine"


def test_an_unknown_tier_is_bad_input() -> None:
    with pytest.raises(LabsError, match="no tier 'moon'"):
        machine.known("moon")


def test_without_it_a_check_and_what_follows_read_could_not_check(tmp_path: Path) -> None:
    toml = LAB_TOML.replace("points = 4", "points = 9")
    lab = make_lab(tmp_path / "course", CHECKS + NEEDS_AN_ENGINE, toml)
    with Grader(tmp_path, tier=machine.EMBEDDED) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    *rest, builds, rebuilds = result.checks
    assert {check.state for check in rest} == {State.PASSED}
    assert (builds.state, builds.because) == (State.COULD_NOT_CHECK, "no Docker engine")
    assert (rebuilds.state, rebuilds.because) == (State.COULD_NOT_CHECK, 'needs "builds"')
    assert builds.lacks == rebuilds.lacks == "docker engine"
    assert (result.state, result.passed_here, result.lacking) == (
        State.COULD_NOT_CHECK,
        True,
        ("docker engine",),
    )
    assert (result.earned, result.possible, result.tier) == (4, 9, "embedded")
    assert LabResult.from_json(result.to_json()) == result
    last = render.plain(result).splitlines()[-1]
    assert (
        last == "Passed, as far as this machine can tell. The rest needs a Docker engine. Next: `labs list`"
    )


def test_a_lab_may_need_a_command_as_a_whole(tmp_path: Path) -> None:
    lab = make_lab(
        tmp_path / "course", toml=LAB_TOML.replace("[limits]", 'needs = ["no-such-command"]\n[limits]')
    )
    with Grader(tmp_path) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    assert {check.because for check in result.checks} == {"no no-such-command on this machine"}
    assert (result.passed_here, result.lacking) == (False, ())


def test_what_is_missing_for_another_reason_is_no_pass() -> None:
    unchecked = CheckResult("one", "one", 1, State.COULD_NOT_CHECK, because="no git on this machine")
    real = replace(unchecked, lacks="docker engine")
    passed = CheckResult("two", "two", 1, State.PASSED)
    assert not LabResult("lab", 1, (unchecked, passed)).passed_here
    assert not LabResult("lab", 1, (real,)).passed_here, "nothing was shown"
    assert LabResult("lab", 1, (real, passed)).passed_here


# `labs verify` at both tiers


class TwoTiers:
    """Grades answer.txt: each check passes if its word is there; `engine` is left out at the embedded tier."""

    def __init__(self, tier: str) -> None:
        self.tier = tier

    def grade(self, lab: Lab, folder: Path, seed: int | None = None, only: Sequence[str] = ()) -> LabResult:
        words = (folder / "answer.txt").read_text().split() if (folder / "answer.txt").exists() else []
        checks = []
        for name in ("plain", "engine"):
            check = CheckResult(name, name, 1, State.PASSED if name in words else State.FAILED)
            if name == "engine" and self.tier == machine.EMBEDDED:
                check = replace(
                    check, state=State.COULD_NOT_CHECK, lacks="docker engine", because="no Docker engine"
                )
            elif name not in words:
                check = replace(check, finding=Finding("read", name, "nothing"))
            checks.append(check)
        return LabResult(lab.slug, seed or lab.seed, tuple(checks), tier=self.tier)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "stage7_later" / "01_tidy"
    answers = {
        "solution": "plain engine",
        "alternatives/other": "engine plain",
        "mistakes/no_plain": "engine",
        "mistakes/no_engine": "plain",
    }
    for name, text in answers.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "answer.txt").write_text(text)
    (folder / "mistakes" / "no_engine" / "expected.local.txt").touch()
    (folder / "mistakes" / "no_plain" / "expected.txt").touch()
    (folder.parent / "stage.toml").write_text('title = "Later"\nmonths = "20"\n')
    (folder / "lab.toml").write_text(
        'slug = "tidy"\ntitle = "Tidy"\nminutes = 5\npoints = 2\nseed = 7\nfiles = ["answer.txt"]\n'
    )
    return tmp_path


def at(course: Path, tier: str, write: bool = False) -> dict[str, list[str]]:
    """Offenders of the gates that look at gradings, by the gate's function."""
    catalog = catalogs.load(course)
    lab = catalog.lab("tidy")
    todo = list(wanted(catalog, lab, False, tier))
    case = Case(catalog, lab, grade_all(TwoTiers(tier), todo, lambda *_: None)["tidy"], tier)
    if write:
        verify.expected.write(case, verify.expected.plain)
    looked_at = (
        verify.gates.solution,
        verify.gates.alternatives,
        verify.gates.mistakes,
        verify.gates.every_check_is_failed,
    )
    return {gate.__name__: [str(one) for one in gate(case)] for gate in looked_at}


def test_verify_proves_each_check_at_the_tier_that_has_it(course: Path) -> None:
    for tier in (machine.EMBEDDED, machine.LOCAL):
        offenders = at(course, tier, write=True)
        assert not any(offenders.values()), offenders
    mistakes = course / "stage7_later" / "01_tidy" / "mistakes"
    assert "– engine" in (mistakes / "no_plain" / "expected.txt").read_text()
    assert "✗ engine" in (mistakes / "no_engine" / "expected.local.txt").read_text()
    assert not (mistakes / "no_engine" / "expected.txt").exists()


def test_a_check_of_a_real_thing_that_nothing_fails_is_found_at_the_local_tier(course: Path) -> None:
    answer = course / "stage7_later" / "01_tidy" / "mistakes" / "no_engine" / "answer.txt"
    answer.write_text("neither")
    assert not at(course, machine.EMBEDDED)["every_check_is_failed"]
    answer.write_text("plain engine")
    offenders = at(course, machine.LOCAL)
    assert "no mistake fails `engine`" in offenders["every_check_is_failed"][0]
    assert "no check fails it" in offenders["mistakes"][0]


def test_each_tier_is_remembered_apart(course: Path) -> None:
    catalog = catalogs.load(course)
    lab = catalog.lab("tidy")
    verify.memory.remember(catalog, lab, of_rules(lab), machine.EMBEDDED)
    assert verify.memory.remembers(catalog, lab, machine.EMBEDDED)
    assert not verify.memory.remembers(catalog, lab, machine.LOCAL)


def test_the_report_says_what_was_not_proven(course: Path) -> None:
    catalog = catalogs.load(course)
    out = io.StringIO()
    report = verify.Report(out)
    for verdict in verify.verify(catalog, catalog.labs, TwoTiers(machine.EMBEDDED), report, fresh=True):
        report.verdict(verdict)
    assert "not proven at this tier: engine (labs verify tidy --tier local)" in out.getvalue()
