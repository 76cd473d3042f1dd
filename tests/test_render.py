"""The feedback: its exact shape, that it is the same everywhere, and that text from anywhere is safe to print."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from labs.render import LONGEST, clean, markdown, piped, plain, terminal
from labs.results import CheckResult, Finding, Isolation, LabResult, State

FINDING = Finding(
    did='POST /predict {"amount_paise": -1, …}',
    wanted="status 422",
    got="status 500, ValueError: log of a negative number at app.py:41",
    next="Constrain the field in the request model.",
    measured="answered in 4.1 ms",
)


def check(name: str, state: State, points: int = 2, **more: object) -> CheckResult:
    return CheckResult(name, f"does `{name}`", points, state, **more)


FAILED = LabResult(
    "serve_things",
    7,
    (
        check("starts", State.PASSED, 1, seconds=3.0),
        check("rejects", State.FAILED, finding=FINDING, output="line\n" * 40 + "last words\n"),
        check("limits", State.FAILED, finding=replace(FINDING, got="something else")),
        check("drains", State.COULD_NOT_CHECK, because="`rejects` did not pass"),
        check("reloads", State.COULD_NOT_CHECK, because="`rejects` did not pass"),
        check("ships", State.COULD_NOT_CHECK, because="no docker"),
        check("later", State.NOT_STARTED, finding=FINDING),
    ),
    isolation=Isolation("sealed"),
    notes=("`json.py` hides a library",),
    seconds=2.34,
)


def test_a_failure_reads_as_designed() -> None:
    assert (
        plain(FAILED)
        == """\
serve_things · 1 of 13 points

✓ does `starts`                                                          1 point
✗ does `rejects`                                                        2 points
  did     POST /predict {"amount_paise": -1, …}
  wanted  status 422
  got     status 500, ValueError: log of a negative number at app.py:41
  next    Constrain the field in the request model.
  more    labs hint serve_things
✗ does `limits`                                                         2 points
– does `drains`                                                         2 points
– does `reloads`                                                        2 points
  because `rejects` did not pass
– does `ships`                                                          2 points
  because no docker
○ does `later`                                                          2 points

Mend what is explained above, then: `labs check serve_things`
"""
    )


@pytest.mark.parametrize(
    ("states", "last"),
    [
        ([State.PASSED], "Passed. Our answer: `labs solution x`. Next: `labs list`"),
        ([State.NOT_STARTED], "Read the brief, write the first part, then: `labs check x`"),
        ([State.PASSED, State.NOT_STARTED], "Go on with what is explained above, then: `labs check x`"),
        (
            [State.PASSED, State.COULD_NOT_CHECK],
            "What ran passed. Why the rest did not run is said above; what this machine lacks: `labs doctor`",
        ),
        ([State.OUR_FAULT], "Something of ours broke. Please report what this prints: `labs check x --json`"),
    ],
)
def test_the_last_line_says_what_to_do(states: list[State], last: str) -> None:
    result = LabResult("x", 7, tuple(check(f"c{number}", state) for number, state in enumerate(states)))
    assert plain(result).splitlines()[-1] == last


def test_the_first_part_that_waits_is_explained_when_nothing_failed() -> None:
    result = LabResult("x", 7, tuple(check(name, State.NOT_STARTED, finding=FINDING) for name in "ab"))
    assert plain(result).count("  wanted  status 422") == 1
    assert plain(result).index("wanted") < plain(result).index("does `b`")


def test_our_fault_apologises_once_and_keeps_the_traceback_for_the_terminal() -> None:
    broken = [check(name, State.OUR_FAULT, traceback="Traceback\n  AssertionError: ours") for name in "ab"]
    result = LabResult("x", 7, tuple(broken))
    assert plain(result).count("our fault, not yours") == 1
    assert "AssertionError" not in plain(result)
    assert "  ours    Traceback\n            AssertionError: ours" in piped(result)


def test_what_differs_from_run_to_run_changes_nothing_in_plain() -> None:
    elsewhere = replace(
        FAILED,
        seed=8,
        hidden_seed=True,
        seconds=99.0,
        tier="compose",
        isolation=Isolation("open"),
        notes=("another note",),
        engine="9",
        checks=tuple(
            replace(
                one, seconds=7.0, output="x", finding=one.finding and replace(one.finding, measured="9 s")
            )
            for one in FAILED.checks
        ),
    )
    assert plain(elsewhere) == plain(FAILED)


def test_piped_text_is_plain_with_what_differs() -> None:
    lines = piped(FAILED).splitlines()
    assert [line for line in plain(FAILED).splitlines() if line not in lines] == []
    assert "  seen    answered in 4.1 ms" in lines
    assert "  note    `json.py` hides a library" in lines
    assert "  run     2.3 s · isolation: sealed · embedded · seed 7" in lines
    assert "          last words" in lines
    assert piped(FAILED).count("line\n") <= 10
    assert lines[-1] == "Mend what is explained above, then: `labs check serve_things`"


def test_a_hidden_seed_stays_hidden_and_open_says_what_it_is() -> None:
    text = piped(
        replace(FAILED, hidden_seed=True, seed=4242, isolation=Isolation("open", {"limits": "held"}))
    )
    assert "4242" not in text
    assert "not isolated (practice only)" in text
    assert "nothing of yours ran" in piped(replace(FAILED, isolation=Isolation()))


def drawn(result: LabResult, width: int, colour: bool) -> str:
    stream = io.StringIO()
    system = "standard" if colour else None
    terminal(
        result, Console(file=stream, width=width, force_terminal=True, color_system=system, markup=False)
    )
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_says_the_same_words_within_its_width(width: int) -> None:
    text = drawn(FAILED, width, colour=False)
    assert all(len(line) <= width for line in text.splitlines())
    assert text.split() == piped(FAILED).split()
    assert "\x1b" not in text
    assert "\x1b[" in drawn(FAILED, width, colour=True)


def test_a_wrapped_value_stays_under_its_own_column() -> None:
    result = LabResult("x", 7, (check("a", State.FAILED, finding=replace(FINDING, got="word " * 40)),))
    got = drawn(result, 60, colour=False).split("  got     ")[1].split("  seen")[0].splitlines()
    assert len(got) > 2
    assert all(line.startswith(" " * 10 + "word") for line in got[1:])


def test_markup_of_a_learner_is_text() -> None:
    result = LabResult("x", 7, (check("a", State.FAILED, finding=replace(FINDING, got="[red]x[/red] [/]")),))
    assert "[red]x[/red] [/]" in drawn(result, 80, colour=False)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb", "a\\rb"),
        ("a\r\nb", "a\nb"),
        ("\ttab", "    tab"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("half \ud800", "half \\ud800"),
        ("नमस्ते \u200d ₹", "नमस्ते \u200d ₹"),
        ("\n\ntext  \n\n", "text"),
    ],
)
def test_text_from_anywhere_is_safe_to_print(raw: str, shown: str) -> None:
    assert clean(raw) == shown
    clean(raw).encode("utf-8")


def test_long_values_are_shortened_in_the_middle() -> None:
    text = clean("start " + "x" * 5000 + " end")
    assert len(text) <= LONGEST
    assert text.startswith("start ") and text.endswith(" end") and " … " in text
    rows = clean("\n".join(str(number) for number in range(100))).split("\n")
    assert rows[0] == "0" and rows[-1] == "99" and "…" in rows and len(rows) == 16


def test_many_lines_are_indented_under_their_label() -> None:
    result = LabResult("x", 7, (check("a", State.FAILED, finding=replace(FINDING, got="one\n\n  two")),))
    assert "  got     one\n\n            two\n  next" in plain(result)


def test_no_check_at_all_is_our_fault() -> None:
    assert "ours broke" in plain(LabResult("x", 7, ()))


def test_markdown_has_a_row_for_each_check_and_the_first_failure_in_full() -> None:
    fence = "````"
    tricky = replace(FAILED.checks[1], title="a | b", finding=replace(FINDING, got="```\ncode\n```"))
    text = markdown(replace(FAILED, checks=(FAILED.checks[0], tricky, *FAILED.checks[2:])))
    assert text.startswith("### serve_things · 1 of 13 points\n")
    assert "| ✗ failed | a \\| b | 0 / 2 |" in text
    assert text.count("\n| ") == 1 + len(FAILED.checks)
    assert f"{fence}text\ndid     POST" in text and f"\n{fence}\n" in text
    assert text.rstrip().endswith("`labs check serve_things`")
