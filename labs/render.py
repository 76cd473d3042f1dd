"""A result as text. `plain` is *the* feedback: the same on every machine; a mistake's expected.txt holds it.

The terminal shows the same lines with colours and what differs from run to run: seconds, isolation, measured
figures, the tail of the learner's output, our traceback.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.machine import real_words
from labs.results import CheckResult, Finding, LabResult, State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MARK = {
    State.PASSED: "✓",
    State.FAILED: "✗",
    State.NOT_STARTED: "○",
    State.COULD_NOT_CHECK: "–",
    State.OUR_FAULT: "!",
}
STYLE = {"✓": "green", "✗": "bold red", "○": "yellow", "–": "dim", "!": "bold magenta"}
WIDTH = 80
LABEL = 8
LONGEST = 600
MOST_LINES = 16
TAIL_LINES = 10
UNSAFE_DIRECTION = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Line:
    """One line of feedback. `kind`: head, blank, check, row, last. `mark`: of a state, or a row's label."""

    kind: str
    mark: str
    text: str
    right: str = ""


def plain(result: LabResult) -> str:
    """The feedback, deterministic: no durations, no seed, no isolation, nothing measured, nothing wrapped."""
    return "\n".join(_as_text(line) for line in _story(result)) + "\n"


def terminal(result: LabResult, console: Console) -> None:
    """The same with colours, and with what differs from run to run."""
    from rich.table import Table

    for line in _story(result, everything=True):
        if line.kind in ("blank", "head", "last"):
            console.print(_ticked(line.text, "bold" if line.kind == "head" else ""), highlight=False)
            continue
        row = Table.grid(expand=True)
        row.width = min(console.width, WIDTH) if line.kind == "check" else console.width
        if line.kind == "check":
            row.add_column(width=2)
            row.add_column(ratio=1, overflow="fold")
            row.add_column(justify="right", no_wrap=True)
            style = "dim" if line.mark in "✓–" else ""
            points = _styled(f"  {line.right}", "dim")
            row.add_row(_styled(line.mark, STYLE[line.mark]), _ticked(line.text, style), points)
        else:
            row.add_column(width=2 + LABEL, no_wrap=True)
            row.add_column(ratio=1, overflow="fold")
            faint = "dim" if line.mark in ("seen", "output", "ours", "note", "run") else ""
            row.add_row(_styled(f"  {line.mark}", "dim cyan"), _ticked(line.text, faint))
        console.print(row, highlight=False)


def piped(result: LabResult) -> str:
    """What the terminal shows, without colours and not wrapped."""
    return "\n".join(_as_text(line) for line in _story(result, everything=True)) + "\n"


def markdown(result: LabResult, last: str = "") -> str:
    """The feedback as Markdown, for a pull request or a job summary. `last`: in place of our last line."""
    lines = [f"### {_heading(result)}", "", "| | check | points |", "|---|---|---:|"]
    for check in result.checks:
        cells = (f"{MARK[check.state]} {check.state}", clean(check.title), f"{check.earned} / {check.points}")
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    shown = _in_full(result)
    if shown and shown.finding:
        body = "\n".join(_as_text(row).removeprefix("  ") for row in _rows(shown.finding, result.lab))
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", body)), default=0))
        lines += ["", f"**{MARK[shown.state]} {clean(shown.title)}**", "", f"{fence}text", body, fence]
    return "\n".join([*lines, "", last or _last(result), ""])


def clean(text: str) -> str:
    """Text from anywhere, safe to print: no control or direction characters, shortened in the middle."""
    lines = _safe(text.replace("\r\n", "\n")).strip("\n").split("\n")
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES // 2], "…", *lines[-(MOST_LINES // 2 - 1) :]]
    text = "\n".join(line.rstrip() for line in lines)
    if len(text) > LONGEST:
        half = (LONGEST - 3) // 2
        text = f"{text[:half].rstrip()} … {text[-half:].lstrip()}"
    return text


def _story(result: LabResult, everything: bool = False) -> Iterator[Line]:
    """The lines in order; with `everything`, those that differ from run to run as well."""
    yield Line("head", "", _heading(result))
    yield Line("blank", "", "")
    shown, apologised = _in_full(result), False
    for number, check in enumerate(result.checks):
        yield Line("check", MARK[check.state], clean(check.title).replace("\n", " "), _points(check.points))
        following = result.checks[number + 1] if number + 1 < len(result.checks) else None
        if check is shown:
            yield from _rows(check.finding, result.lab, measured=everything)
            if everything and check.output.strip():
                yield Line("row", "output", clean(_tail(check.output)))
        elif everything and check.finding and check.finding.measured:
            yield Line("row", "seen", clean(check.finding.measured))
        if check.state is State.COULD_NOT_CHECK and not _same_reason(check, following):
            yield Line("row", "because", clean(check.because) or "no reason was given")
        if check.state is State.OUR_FAULT and not apologised:
            apologised = True
            yield Line("row", "sorry", "This is our fault, not yours: the check itself broke.")
            if check.because:
                yield Line("row", "because", clean(check.because))
            if everything and check.traceback:
                yield Line("row", "ours", _safe(check.traceback.strip("\n")))
    yield Line("blank", "", "")
    if everything:
        yield from _footer(result)
    yield Line("last", "", _last(result))


def _rows(finding: Finding | None, lab: str, measured: bool = False) -> Iterator[Line]:
    finding = finding or Finding("", "", "")
    said = [("did", finding.did), ("wanted", finding.wanted), ("got", finding.got)]
    said += [("seen", finding.measured)] if measured else []
    said += [("next", finding.next), ("more", f"labs hint {lab}")]
    for label, text in said:
        if text:
            yield Line("row", label, clean(text))


def _footer(result: LabResult) -> Iterator[Line]:
    for note in result.notes:
        yield Line("row", "note", clean(note))
    rung = result.isolation.rung
    held = "not isolated (practice only)" if rung == "open" else f"isolation: {rung}"
    if rung == "open" and not result.isolation.layers:
        held = "nothing of yours ran"
    seed = "another seed" if result.hidden_seed else f"seed {result.seed}"
    yield Line("row", "run", f"{result.seconds:.1f} s · {held} · {result.tier} · {seed}")


def _in_full(result: LabResult) -> CheckResult | None:
    """The check to explain: the first that failed, else the first that waits for its beginning."""
    for state in (State.FAILED, State.NOT_STARTED):
        for check in result.checks:
            if check.state is state:
                return check
    return None


def _heading(result: LabResult) -> str:
    only = f" · only {result.only}" if result.only else ""
    return f"{result.lab} · {result.earned} of {_points(result.possible)}{only}"


def _last(result: LabResult) -> str:
    again = f"labs check {result.lab}"
    if result.only:
        if result.state is State.PASSED:
            return f"Passed. Now everything: `{again}`"
        again += f" --only {result.only}"
    match result.state:
        case State.PASSED:
            return f"Passed. Our answer: `labs solution {result.lab}`. Next: `labs list`"
        case State.NOT_STARTED:
            return f"Read the brief, write the first part, then: `{again}`"
        case State.COULD_NOT_CHECK:
            return _passed_but(result)
        case State.OUR_FAULT:
            return f"Something of ours broke. Please report what this prints: `{again} --json`"
        case State.FAILED:
            first = _in_full(result)
            word = "Mend" if first and first.state is State.FAILED else "Go on with"
            return f"{word} what is explained above, then: `{again}`"


def _passed_but(result: LabResult) -> str:
    if not result.passed_here:
        return (
            "What ran passed. Why the rest did not run is said above; what this machine lacks: `labs doctor`"
        )
    rest = real_words(result.lacking)
    return f"Passed, as far as this machine can tell. The rest needs {rest}. Next: `labs list`"


def _as_text(line: Line) -> str:
    if line.kind == "check":
        return f"{line.mark} {line.text}".ljust(WIDTH - 2 - len(line.right)) + f"  {line.right}"
    if line.kind == "row":
        indented = line.text.replace("\n", "\n" + " " * (2 + LABEL))
        return "\n".join(part.rstrip() for part in f"  {line.mark:<{LABEL}}{indented}".split("\n"))
    return line.text


def _points(points: int) -> str:
    return f"{points} point" if points == 1 else f"{points} points"


def _same_reason(check: CheckResult, following: CheckResult | None) -> bool:
    return following is not None and following.state is check.state and following.because == check.because


def _tail(output: str) -> str:
    return "\n".join(output.rstrip().splitlines()[-TAIL_LINES:])


def _printable(char: str) -> bool:
    return char == "\n" or (unicodedata.category(char) not in ("Cc", "Cs") and char not in UNSAFE_DIRECTION)


def _safe(text: str) -> str:
    text = text.expandtabs(4)
    return "".join(char if _printable(char) else char.encode("unicode_escape").decode() for char in text)


def _styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style=style)


def _ticked(text: str, style: str) -> Text:
    """Text with what stands between backticks picked out."""
    shown = _styled(text, style)
    shown.highlight_regex(r"`[^`\n]+`", "cyan")
    return shown
