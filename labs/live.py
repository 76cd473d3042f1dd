"""Shows a grading while it runs: a live list of checks on a terminal, plain lines when piped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labs.render import MARK, STYLE, clean
from labs.results import CheckResult

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from labs.grading import Watcher

PATIENCE = 1.0  # seconds before a pipe hears that something is going on


@contextmanager
def watching(slug: str, console: Console) -> Iterator[Watcher]:
    """A watcher for one grading; what it drew on a terminal goes away, and the result takes its place."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(slug, console)
        return
    from rich.live import Live

    screen = Screen(slug)
    with Live(screen, console=console, transient=True, refresh_per_second=8, redirect_stdout=False):
        yield screen


class Lines:
    """One line for each check that ends, once the grading has taken longer than a second."""

    def __init__(self, slug: str, console: Console) -> None:
        self.slug, self.console = slug, console
        self.began = time.monotonic()
        self.waiting: list[str] = [f"checking {slug} …"]
        self.total = 0
        self.done = 0

    def expected(self, checks: Sequence[tuple[str, str, int]]) -> None:
        self.total = len(checks)

    def started(self, name: str) -> None:
        self._say()

    def finished(self, check: CheckResult) -> None:
        self.done += 1
        self.waiting.append(f"  {self.done}/{self.total} {MARK[check.state]} {_one_line(check.title)}")
        self._say()

    def _say(self) -> None:
        if time.monotonic() - self.began < PATIENCE:
            return
        waiting, self.waiting = self.waiting, []
        for line in waiting:
            self.console.print(line, soft_wrap=True)


class Screen:
    """The list of checks with what became of each, redrawn in place."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        self.began = time.monotonic()
        self.checks: list[tuple[str, str]] = []
        self.running: set[str] = set()
        self.marks: dict[str, str] = {}

    def expected(self, checks: Sequence[tuple[str, str, int]]) -> None:
        self.checks = [(name, _one_line(title)) for name, title, _ in checks]

    def started(self, name: str) -> None:
        self.running = self.running | {name}

    def finished(self, check: CheckResult) -> None:
        self.marks[check.name] = MARK[check.state]
        self.running = self.running - {check.name}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        seconds = time.monotonic() - self.began
        spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(seconds * 8) % 10]
        count = f"{len(self.marks)} of {len(self.checks)} checks" if self.checks else "getting ready"
        yield Text(f"{spinner} {self.slug} · {count} · {seconds:.0f} s", style="bold", no_wrap=True)
        for name, title in self._window(console.height - 3):
            mark = self.marks.get(name, spinner if name in self.running else " ")
            style = STYLE.get(mark, "cyan" if name in self.running else "dim")
            line = Text(f"  {mark} ", style=style, no_wrap=True, overflow="ellipsis")
            line.append(title, style="" if name in self.running else "dim")
            yield line

    def _window(self, height: int) -> list[tuple[str, str]]:
        """As many checks as fit, with the one that runs among them."""
        if len(self.checks) <= height:
            return self.checks
        first = max(0, min(len(self.marks) - height // 2, len(self.checks) - height))
        return self.checks[first : first + max(height, 1)]


def _one_line(title: str) -> str:
    return clean(title).replace("\n", " ")
