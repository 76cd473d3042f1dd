"""Marks as tables and as other programs read them; and what being late costs."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from labs.cohort import arrivals, exports, gradebook, page, reports
from labs.cohort.clones import STALE
from labs.cohort.desk import Graded
from labs.cohort.gradebook import Mark
from labs.cohort.late import IN_TIME, UNKNOWN, Lateness, LatePolicy, duration, moment, time_zone
from labs.cohort.submissions import Submission
from labs.cohort.summary import say
from labs.errors import LabsError
from labs.results import CheckResult, Finding, Isolation, LabResult, State

CHECKS = (
    CheckResult("starts", "starts", 2, State.PASSED, seconds=0.5),
    CheckResult(
        "refuses", "refuses nonsense", 3, State.FAILED, Finding("POST /", "422", "500", "Look at the model.")
    ),
    CheckResult("drains", "drains", 5, State.COULD_NOT_CHECK, because='needs "refuses"'),
)
RESULT = LabResult("a_lab", 7, CHECKS, seconds=2.0)
ASHA = Mark("asha", "Asha Rao", "a_lab", 10, RESULT, graded_at="2026-11-08T06:30:00+00:00")
RAVI = Mark("ravi", "=cmd|' /C calc'!A0", "a_lab", 10, None, error="ravi.zip: cannot be unpacked.")
MEENA = Mark("meena", "", "another", 10, RESULT, late=Lateness(2, 20.0), person={"style": 4.5})


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_three_tables(tmp_path: Path) -> None:
    written = gradebook.write(tmp_path, [ASHA, RAVI, MEENA])
    assert sorted(path.name for path in written) == sorted(
        f"{name}.{kind}" for name in ("gradebook", "labs", "checks") for kind in ("csv", "parquet")
    )
    book = {row["learner"]: row for row in read(tmp_path / "gradebook.csv")}
    assert (book["asha"]["a_lab"], book["asha"]["total"], book["asha"]["possible"]) == ("2.0", "2.0", "10")
    assert (book["meena"]["another"], book["meena"]["another_person_style"]) == ("1.6", "4.5")
    labs = {row["learner"]: row for row in read(tmp_path / "labs.csv")}
    assert (labs["asha"]["state"], labs["asha"]["could_not_check"]) == ("failed", "1")
    assert (labs["ravi"]["state"], labs["ravi"]["earned"]) == ("unreadable", "0")
    assert (labs["meena"]["earned"], labs["meena"]["late_days"], labs["meena"]["after_lateness"]) == (
        "2",
        "2",
        "1.6",
    )
    checks = read(tmp_path / "checks.csv")
    assert [(row["learner"], row["check"], row["earned"]) for row in checks[:3]] == [
        ("asha", "starts", "2"), ("asha", "refuses", "0"), ("asha", "drains", "0"),
    ]  # fmt: skip
    for name in ("gradebook", "labs", "checks"):
        frame = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert len(frame) == len(read(tmp_path / f"{name}.csv"))


def test_a_spreadsheet_runs_nothing(tmp_path: Path) -> None:
    gradebook.write(tmp_path, [RAVI])
    for name in ("gradebook", "labs"):
        assert read(tmp_path / f"{name}.csv")[0]["name"].startswith("'=")


def test_exports(tmp_path: Path) -> None:
    assert ASHA.result is not None
    checks = tuple(replace(check, hidden=check.name == "refuses") for check in ASHA.result.checks)
    hidden = replace(ASHA.result, checks=checks)
    written = exports.write(tmp_path, [replace(ASHA, result=hidden), RAVI])
    assert len(written) == 5
    results = json.loads((tmp_path / "gradescope" / "asha" / "a_lab" / "results.json").read_text())
    assert results["score"] == 2
    assert [(test["score"], test["max_score"]) for test in results["tests"]] == [(2, 2), (0, 3), (0, 5)]
    assert "refuses" not in json.dumps(results["tests"][1])
    assert "500" not in json.dumps(results)
    report = json.loads((tmp_path / "classroom" / "asha" / "a_lab.json").read_text())
    assert (report["status"], [test["status"] for test in report["tests"]]) == (
        "fail",
        ["pass", "fail", "fail"],
    )
    unreadable = json.loads((tmp_path / "gradescope" / "ravi" / "a_lab" / "results.json").read_text())
    assert unreadable["output"] == "ravi.zip: cannot be unpacked."


def test_what_is_not_graded_is_no_0(tmp_path: Path) -> None:
    left_out = Mark("kabir", "Kabir", "a_lab", 10, None, left_out=True)
    gradebook.write(tmp_path, [ASHA, left_out])
    book = {row["learner"]: row for row in read(tmp_path / "gradebook.csv")}
    assert (book["kabir"]["a_lab"], book["kabir"]["total"], book["kabir"]["possible"]) == ("", "", "0")
    labs = {row["learner"]: row for row in read(tmp_path / "labs.csv")}
    assert (labs["kabir"]["state"], labs["kabir"]["earned"]) == ("not graded", "")
    assert "Not graded yet." in reports.markdown(left_out, hidden=False)
    assert pd.read_parquet(tmp_path / "gradebook.parquet")["a_lab"].isna().tolist() == [False, True]


def result_of(*checks: CheckResult) -> Mark:
    return replace(ASHA, result=LabResult("a_lab", 7, checks))


def test_a_check_that_broke_is_explained_to_the_instructor(tmp_path: Path) -> None:
    because, traceback = (
        "the lab's checks could not be read",
        "Traceback:\nSyntaxError: '(' was never closed\n",
    )
    check = CheckResult(
        "checks", "private", 5, State.OUR_FAULT, because=because, traceback=traceback, hidden=True
    )
    mark = result_of(check)
    gradebook.write(tmp_path, [mark])
    error = read(tmp_path / "labs.csv")[0]["error"]
    assert error == f"`checks` broke: {because} (SyntaxError: '(' was never closed)"
    by_pytest = "E       SECRET = (1,\nE   SyntaxError: '(' was never closed\n==== ERRORS\n1 error in 0.66s\n"
    assert result_of(replace(check, traceback=by_pytest)).trouble == error
    reports.write(tmp_path, [result_of(replace(check, traceback=by_pytest, hidden=False))], hidden=True)
    assert not [path for path in (tmp_path / "asha").iterdir() if "SECRET" in path.read_text()]
    said = reports.markdown(mark, hidden=True)
    assert "Your instructor is told" in said and "labs check" not in said and "SyntaxError" not in said


def test_a_report_sends_nobody_to_our_answer() -> None:
    said = reports.markdown(result_of(CHECKS[0]), hidden=False)
    assert "Passed." in said and "labs solution" not in said


def test_the_rung_is_empty_where_nothing_ran(tmp_path: Path) -> None:
    ran = replace(RESULT, isolation=Isolation("open", {"limits": "held"}))
    gradebook.write(tmp_path, [ASHA, replace(ASHA, learner="ravi", result=ran)])
    assert [row["isolation"] for row in read(tmp_path / "labs.csv")] == ["", "open"]


def said(marks: list[Mark], due: bool = True, **about: Any) -> tuple[int, str]:
    """The exit status and what the screen says when a cohort is graded."""
    text = io.StringIO()
    desk: Any = SimpleNamespace(out=Console(file=text, width=200))
    graded = Graded(tuple(marks), 3, 0, **{"broken": frozenset(), "news": (), "written": (), **about})
    return say(desk, Path("grades"), graded, due), text.getvalue()


def test_the_screen_counts_what_needs_a_look() -> None:
    unread = [replace(RAVI, lab=lab) for lab in ("a_lab", "another", "third")]
    nothing = Mark("kabir", "", "a_lab", 10, None)
    left_out = Mark("zoya", "", "a_lab", 10, None, left_out=True)
    flaky = replace(ASHA, flaky=("starts",), late=UNKNOWN)
    status, text = said([*unread, nothing, left_out, flaky], news=("1 learners are gone",))
    assert status == 3 and text.count("ravi.zip: cannot be unpacked.") == 1, "once, and not for each lab"
    for words in (
        "1 not handed in",
        "1 not graded",
        "asha/a_lab",
        "1 with no known time",
        "1 learners are gone",
    ):
        assert f"! {words}" in text or words in text
    assert "no known time" not in said([flaky], due=False)[1]
    assert said([ASHA])[0] == 0
    status, text = said(unread, broken=frozenset({("ravi", "a_lab")}))
    assert status == 4 and "the same command grades them again" in text


PIA = Mark(
    "Pia-P-4800",
    "Pia P",
    "a_lab",
    10,
    RESULT,
    graded_at="2026-11-08T06:30:00+00:00",
    system="moodle",
    number="4800",
)
HUGO = Mark("hugox-1100", "hugox", "a_lab", 10, None, system="canvas", number="1100")


def test_the_worksheet_of_moodle(tmp_path: Path) -> None:
    exports.write(tmp_path, [PIA, replace(PIA, number="4801", result=None, error="cut short"), HUGO, ASHA])
    text = (tmp_path / "moodle" / "a_lab.csv").read_text()
    assert text.splitlines() == [
        "Identifier,Full name,Grade,Last modified (grade)",
        "Participant 4800,Pia P,2.0,2026-11-08T06:30:00+00:00",
        "Participant 4801,Pia P,,2026-11-08T06:30:00+00:00",
    ]


def test_the_gradebook_of_canvas(tmp_path: Path) -> None:
    """No points in the heading: Canvas reads a number in brackets as an assignment's id."""
    exports.write(tmp_path, [HUGO, ASHA, RAVI, PIA])
    assert (tmp_path / "canvas" / "a_lab.csv").read_text().splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,a_lab",
        "hugox,1100,,,,0.0",
        "Asha Rao,,,asha,,2.0",
        "'=cmd|' /C calc'!A0,,,ravi,,",
    ]


def test_an_export_that_nobody_is_in_any_more_goes(tmp_path: Path) -> None:
    exports.write(tmp_path, [PIA])
    assert not (tmp_path / "canvas" / "a_lab.csv").exists()
    exports.write(tmp_path, [HUGO])
    assert not (tmp_path / "moodle" / "a_lab.csv").exists() and (tmp_path / "canvas" / "a_lab.csv").exists()


def test_notes_reach_the_table_the_report_and_the_page(tmp_path: Path) -> None:
    marks = [replace(one, notes=("`<b>` is a link: left out.", "`\x1b[1m`")) for one in (ASHA, HUGO)]
    gradebook.write(tmp_path, marks)
    assert [row["notes"][:26] for row in read(tmp_path / "labs.csv")] == ["`<b>` is a link: left out."] * 2
    written = reports.write(tmp_path / "learners", marks, hidden=False)
    texts = [path.read_text() for path in written] + [page.cohort("in", marks, [], "now")]
    assert len(texts) == 6 and all("is a link: left out." in text for text in texts)
    assert not any("\x1b" in text for text in texts)
    before = replace(ASHA, error="work.zip: cannot be unpacked (cut short).")
    text = reports.markdown(before, hidden=False)
    assert "2 of 10 points; work.zip: cannot be unpacked" in text


DUE = moment("2026-11-30T23:59+05:30")


def test_what_being_late_costs() -> None:
    policy = LatePolicy(DUE, per_day=10, grace=duration("1h"), most_days=3)

    def at(**late: int) -> Lateness:
        return policy.judge(DUE + timedelta(**late))

    assert at() == at(minutes=60) == IN_TIME
    assert at(minutes=61) == Lateness(1, 10)
    assert at(hours=24) == Lateness(1, 10)
    assert at(hours=25) == Lateness(2, 20)
    assert at(days=3) == Lateness(3, 30)
    assert at(days=3, minutes=1).percent == 100
    assert policy.judge(None) == UNKNOWN
    assert policy.judge(None, marked_late=True) == Lateness(1, 10)
    assert Lateness(2, 20).of(7) == 5.6


def test_marked_late_without_a_time_is_one_begun_day_and_a_time_alone_decides() -> None:
    policy = LatePolicy(DUE, per_day=10, grace=duration("1h"))
    assert policy.judge(None, marked_late=True) == Lateness(1, 10)
    assert policy.judge(DUE + timedelta(minutes=30), marked_late=True) == IN_TIME, "within the grace"
    assert policy.judge(DUE + timedelta(hours=30), marked_late=True) == Lateness(2, 20)


def test_the_screen_says_what_the_marks_of_a_cohort_hang_on() -> None:
    came = [
        Submission("asha", Path("a")),
        Submission("chen", Path("c"), late=True),
        Submission("dina", Path("d"), at=DUE, no_offset=True),
        Submission("emil", Path("e"), notes=(f"{STALE}: no route to host",)),
    ]
    policy = LatePolicy(DUE, per_day=10)
    marks = [replace(ASHA, learner=one.learner, late=policy.judge(one.at, one.late)) for one in came]
    marks.append(replace(ASHA, learner="hugo", error="cut short"))
    assert arrivals.said(came, marks, policy, None) == (
        "Times that came without an offset: 1, read as UTC; --time-zone says otherwise.",
        "Marked late without a time: chen. One begun day is counted; --grace cannot be applied.",
        "Repositories that could not be refreshed, so the clones from before count: emil.",
        "Not readable this time, so the marks from before stay: hugo.",
    )
    assert arrivals.said(came[:1], [ASHA], None, None) == ()


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"per_day": -10.0}, "--late-percent -10"),
        ({"per_day": 150.0}, "--late-percent 150"),
        ({"per_day": float("nan")}, "--late-percent nan"),
        ({"most_days": -1}, "--late-days -1"),
    ],
)
def test_a_policy_that_is_none_is_refused(policy: dict[str, Any], words: str) -> None:
    with pytest.raises(LabsError, match=words):
        LatePolicy(DUE, **policy)


def test_times_without_an_offset_are_of_the_zone_that_was_given() -> None:
    assert moment("2026-11-30T23:59", time_zone("Asia/Kolkata")) == DUE
    assert moment("2026-11-30T18:29Z", time_zone("Asia/Kolkata")) == DUE, "an offset of its own counts"
    with pytest.raises(LabsError, match="Mars/Phobos"):
        time_zone("Mars/Phobos")


def test_the_example_in_a_refusal_works() -> None:
    for wrong in ("2026-11-30", "2026-11-30T23:59", "soon"):
        with pytest.raises(LabsError) as refused:
            moment(wrong)
        example = refused.value.next_step.removeprefix("Write it as ").split(",")[0].rstrip(".")
        assert moment(example) == DUE
    with pytest.raises(LabsError, match="too long"):
        duration("99999999999d")


def test_times_need_a_zone() -> None:
    assert moment("2026-11-30T18:29:00Z") == DUE
    for wrong in ("tomorrow", "2026-11-30T23:59", "2026-11-30", "2026-11-30 23:59:00"):
        with pytest.raises(LabsError) as refused:
            moment(wrong)
        example = re.search(r"2026-\S+\+05:30", refused.value.next_step.replace(" 23", "T23"))
        assert example and moment(example[0]), "what is told to be written is understood"
    assert duration("90m") == timedelta(minutes=90)
    with pytest.raises(LabsError):
        duration("soon")
    assert isinstance(DUE, datetime)
