"""The brief: its headings in order, and its `console` blocks run as a reader would run them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from labs.verify.case import Case, Offender

HEADINGS = (
    "You will be able to",
    "Contract",
    "Steps",
    "What you will see",
    "What is still broken",
    "Further reading",
)
SHELL_BLOCKS = ("bash", "sh", "shell", "zsh", "shell-session", "sh-session")
FENCE = re.compile(r"(?P<indent> *)(?P<mark>`{3,}|~{3,})(?P<language>[^`]*?)\s*")
EXITS = re.compile(r"\s+# exits (\d{1,3})\s*$")


@dataclass(frozen=True)
class Command:
    """One `$ ` line of the brief: where it stands, its exit status, and the lines shown below it."""

    line: int
    text: str
    exits: int = 0
    shown: tuple[str, ...] = ()

    @property
    def in_background(self) -> bool:
        return self.text.rstrip().endswith("&") and not self.text.rstrip().endswith("&&")


@dataclass
class _Block:
    language: str
    mark: str
    indent: str
    line: int
    end: int = 0  # 0: never closed
    lines: list[str] = field(default_factory=list)


def brief(case: Case) -> list[Offender]:
    """The brief has its headings, its commands run, and its output is as shown"""
    from labs.verify.session import run_commands

    path = case.lab.folder / "README.md"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return [Offender("README.md", "it is not there, or not UTF-8 text", "Write the brief.")]
    offenders = [*_shape(case, text)]
    commands = list(commands_of(text))
    if not commands:
        mend = "Show at least one command and what it prints."
        offenders.append(Offender("README.md", "no ```console block shows a command", mend))
    elif case.lab.solution.is_dir():
        offenders += run_commands(case, commands)
    return offenders


def commands_of(text: str) -> Iterator[Command]:
    """The commands of all `console` blocks, in order."""
    for block in _blocks(text):
        if block.language == "console":
            yield from _commands(block)


def _commands(block: _Block) -> Iterator[Command]:
    current: Command | None = None
    for number, line in enumerate(block.lines, start=block.line + 1):
        if line.startswith("$ "):
            if current:
                yield current
            exits = EXITS.search(line)
            text = line[2 : exits.start() if exits else None]
            current = Command(number, text, int(exits[1]) if exits else 0)
        elif current and not current.shown and (line.startswith("> ") or _continues(current.text)):
            text = f"{current.text}\n{line.removeprefix('> ')}"
            current = Command(current.line, text, current.exits)
        elif current:
            current = Command(current.line, current.text, current.exits, (*current.shown, line.rstrip()))
    if current:
        yield current


def _continues(text: str) -> bool:
    if text.endswith("\\"):
        return True
    here = re.search(r"<<-?\s*['\"]?(\w+)", text.split("\n")[0])
    return here is not None and here[1] not in (line.strip() for line in text.split("\n")[1:])


def _blocks(text: str) -> list[_Block]:
    """The fenced blocks, also those that are indented below a step; line numbers count from 1."""
    found: list[_Block] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.fullmatch(line)
        if found and not found[-1].end:
            block = found[-1]
            if fence and fence["mark"].startswith(block.mark) and not fence["language"]:
                block.end = number
            else:
                block.lines.append(line.removeprefix(block.indent))
        elif fence:
            found.append(_Block(fence["language"], fence["mark"], fence["indent"], number))
    return found


def _shape(case: Case, text: str) -> Iterator[Offender]:
    title, story, sections = _split(text)
    if not title:
        yield Offender("README.md", "it does not start with a `# ` title", f"Start with: # {case.lab.title}")
    if not story:
        yield Offender("README.md", "no story stands under the title", "Tell what happened at 3 AM.")
    names = [name for name, _ in sections]
    if tuple(names) != HEADINGS:
        had = ", ".join(names) or "none"
        mend = f"Use exactly, in this order: {', '.join(HEADINGS)}."
        yield Offender("README.md", f"the `## ` headings are: {had}", mend)
    bodies = dict(sections)
    for name, body in sections:
        if not body.strip():
            yield Offender("README.md", f"nothing stands under `## {name}`", "Write the section.")
    if not re.search(r"^1\. ", bodies.get(HEADINGS[0], "1. "), re.MULTILINE):
        yield Offender("README.md", f"`## {HEADINGS[0]}` is not a numbered list", "Number the outcomes: 1. …")
    if not re.search(r"^- \[[ x]\] ", bodies.get(HEADINGS[4], "- [ ] "), re.MULTILINE):
        yield Offender(
            "README.md", f"`## {HEADINGS[4]}` is no check list", "Write lines that start with `- [ ] `."
        )
    for name in case.lab.files:
        if name not in bodies.get("Contract", name):
            yield Offender(
                "README.md", f"`## Contract` does not name `{name}`", "Say what this file must hold."
            )
    for block in _blocks(text):
        if not block.end:
            yield Offender(f"README.md line {block.line}", "this block is not closed", "Close it.")
        if block.language in SHELL_BLOCKS:
            wrong = f"the ```{block.language} block would never be run"
            mend = "Make it ```console with `$ ` before each command, or ```text."
            yield Offender(f"README.md line {block.line}", wrong, mend)


def _split(text: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Title, story, and (heading, body) of each `## ` section; blocks count as body."""
    lines = text.splitlines()
    title = lines[0][2:].strip() if lines and lines[0].startswith("# ") else ""
    story: list[str] = []
    sections: list[tuple[str, list[str]]] = []
    fenced = {n for block in _blocks(text) for n in range(block.line, (block.end or len(lines)) + 1)}
    for number, line in enumerate(lines[1:] if title else lines, start=2 if title else 1):
        if line.startswith("## ") and number not in fenced:
            sections.append((line[3:].strip(), []))
        else:
            (sections[-1][1] if sections else story).append(line)
    return title, "\n".join(story).strip(), [(name, "\n".join(body)) for name, body in sections]
