"""What the author sees: progress, a line per gate, a table at the end. Colour only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import IO, TYPE_CHECKING

from labs.catalog import Lab
from labs.verify.case import Offender, other_seed

if TYPE_CHECKING:
    from rich.text import Text

PIPED_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Verdict:
    """What verification found in one lab: its gates by title, each with its offenders."""

    lab: Lab
    gates: tuple[tuple[str, tuple[Offender, ...]], ...] = ()
    unchanged: bool = False
    gradings: int = 0
    slowest_check: float = 0.0
    unproven: tuple[str, ...] = ()  # checks that need a real thing, and were left out
    work_seconds: float = 0.0  # summed over gradings that ran side by side

    @property
    def ok(self) -> bool:
        return all(not offenders for _, offenders in self.gates)

    def __str__(self) -> str:
        lines = [f"{self.lab.slug} does not verify"] if not self.ok else [f"{self.lab.slug} verifies"]
        for title, offenders in self.gates:
            lines += [f"✗ {title}", *plain_lines(offenders)] if offenders else []
        return "\n".join(lines)


def plain_lines(offenders: Sequence[Offender]) -> Iterator[str]:
    """Where, what is wrong, how to mend it; what neighbours share is said once."""
    for where, here in groupby(offenders, key=lambda one: one.where):
        yield f"    {where}"
        for mend, alike in groupby(here, key=lambda one: one.mend):
            for offender in alike:
                first, *rest = offender.wrong.splitlines() or [""]
                yield f"      wrong {first}"
                yield from (f"            {line}" for line in rest)
            yield f"      mend  {mend}"


class Report:
    """Writes to `out` (stdout unless told)."""

    def __init__(self, out: IO[str] | None = None) -> None:
        from rich.console import Console

        self._console = Console(file=out, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._status = self._console.status("") if self._console.is_terminal else None
        self._began = self._last = time.monotonic()

    def progress(self, text: str) -> None:
        """Say what is going on: one living line on a terminal, now and then a line in a log."""
        if self._status:
            self._status.update(text)
            self._status.start()
        elif time.monotonic() - self._last > PIPED_EVERY_SECONDS:
            self.line(text)

    def quiet(self) -> None:
        """Take the living line away."""
        if self._status:
            self._status.stop()

    def line(self, text: str = "", style: str = "") -> None:
        self._last = time.monotonic()
        self._console.print(text, style=style or None)

    def error(self, message: str, next_step: str) -> None:
        self.quiet()
        self.line(f"✗ {message}", "red")
        if next_step:
            self.line(f"  next  {next_step}")

    def diff(self, text: str) -> None:
        self.quiet()
        for line in text.splitlines():
            self.line(line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))

    def verdict(self, verdict: Verdict) -> None:
        self.quiet()
        folder = f"{verdict.lab.stage}/{verdict.lab.folder.name}"
        if verdict.unchanged:
            self.line(f"– {folder}  unchanged since it last verified (again: --fresh)", "dim")
            return
        self.line(f"{folder}  (seeds {verdict.lab.seed} and {other_seed(verdict.lab)})", "bold")
        for title, offenders in verdict.gates:
            self.line(f"  {'✗' if offenders else '✓'} {title}", "red" if offenders else "green")
            for line in plain_lines(offenders):
                self.line(f"  {line}")
        if verdict.unproven:
            names = ", ".join(verdict.unproven)
            self.line(
                f"  – not proven at this tier: {names} (labs verify {verdict.lab.slug} --tier local)", "dim"
            )

    def summary(self, verdicts: Sequence[Verdict], malformed: int = 0) -> None:
        self.quiet()
        width = max((len(v.lab.slug) for v in verdicts), default=3)
        self.line()
        self.line(f"  {'lab':{width}}  gates  gradings  slowest check  work")
        for verdict in verdicts:
            self._console.print(self._row(verdict, width))
        good = sum(verdict.ok for verdict in verdicts)
        every = len(verdicts) + malformed
        seconds = time.monotonic() - self._began
        done = f"{good} of {every} labs verify ({seconds:.1f} s)" + (
            f"; {malformed} could not be read" if malformed else ""
        )
        self.line(done, "green" if good == every else "red")

    def _row(self, verdict: Verdict, width: int) -> Text:
        from rich.text import Text

        if verdict.unchanged:
            return Text(f"– {verdict.lab.slug:{width}}  unchanged", style="dim")
        passed = sum(not offenders for _, offenders in verdict.gates)
        mark, style = ("✓", "green") if verdict.ok else ("✗", "red")
        figures = f"{passed:>2}/{len(verdict.gates)}  {verdict.gradings:8}  {verdict.slowest_check:11.1f} s"
        return Text.assemble(
            (mark, style), f" {verdict.lab.slug:{width}}  {figures}  {verdict.work_seconds:.1f} s"
        )
