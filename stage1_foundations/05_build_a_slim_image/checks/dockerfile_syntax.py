"""Reads a Dockerfile into instructions, by the rules of https://docs.docker.com/reference/dockerfile/.

Comments, parser directives, continuation lines, here-documents, flags, the two forms of a command, and the
substitution of variables. Nothing here knows what an instruction does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_KNOWN = """
ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER
VOLUME WORKDIR
"""
KNOWN = frozenset(_KNOWN.split())
DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(.+?)\s*$")
FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?(?:\s+|$)")
HEREDOC = re.compile(r"<<(-?)\s*([\"']?)([A-Za-z_]\w*)\2")
TAKES_HEREDOCS = {"RUN", "COPY", "ADD"}
MOST_BYTES = 100_000
MOST_INSTRUCTIONS = 300
MOST_CHARACTERS = 20_000  # of a text after its variables were put in: they can double with every line
NUMBER = re.compile(r"[0-9]{1,9}")


class SyntaxProblem(Exception):
    """A Dockerfile that no builder accepts. `line` counts from 1; 0 is the whole file."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line, self.why = line, why


@dataclass(frozen=True)
class Heredoc:
    name: str
    content: str
    expands: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction. `text` is what follows its name and flags, on one line; flags keep their order."""

    line: int
    name: str
    flags: tuple[tuple[str, str], ...]
    text: str
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str) -> str | None:
        """The last value of a flag; None without it."""
        return dict(self.flags).get(name)

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.flags if key == name]

    @property
    def source(self) -> str:
        """All of its text: what a builder compares when it looks into its cache."""
        flags = " ".join(f"--{key}={value}" for key, value in self.flags)
        return "\n".join([f"{self.name} {flags} {self.text}", *(doc.content for doc in self.heredocs)])

    def argv(self) -> list[str] | None:
        """The words of the exec form (a JSON list of texts); None when this is the shell form."""
        if not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except (ValueError, RecursionError):
            return None  # as Docker does: what is no JSON goes to the shell, brackets and all
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def parse(data: bytes) -> list[Instruction]:
    """Every instruction of a Dockerfile.

    Raises:
        SyntaxProblem: a builder would refuse it.
    """
    if len(data) > MOST_BYTES:
        raise SyntaxProblem(0, f"more than {MOST_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SyntaxProblem(0, "bytes that are no UTF-8 text") from None
    if "\0" in text:
        raise SyntaxProblem(0, "bytes that are no text")
    lines = text.splitlines()
    found: list[Instruction] = []
    at, escape = 0, _escape(lines)
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        first = at
        logical, at = _joined(lines, at, escape)
        instruction, at = _instruction(first + 1, logical, lines, at)
        found.append(instruction)
        if len(found) > MOST_INSTRUCTIONS:
            raise SyntaxProblem(first + 1, f"more than {MOST_INSTRUCTIONS} instructions")
    return found


def _escape(lines: Sequence[str]) -> str:
    """Directives stand at the very top; the first line that is none ends them."""
    for line in lines:
        directive = DIRECTIVE.match(line)
        if not directive:
            break
        if directive[1].lower() == "escape":
            return directive[2] if directive[2] in ("\\", "`") else "\\"
    return "\\"


def _joined(lines: Sequence[str], at: int, escape: str) -> tuple[str, int]:
    """One logical line. Comments and empty lines inside it do not end it."""
    parts = []
    while at < len(lines):
        line = lines[at]
        at += 1
        if parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if line.rstrip().endswith(escape):
            parts.append(line.rstrip()[:-1])
            continue
        parts.append(line)
        break
    return "".join(parts).strip(), at


def _instruction(number: int, logical: str, lines: Sequence[str], at: int) -> tuple[Instruction, int]:
    name, _, rest = logical.partition(" ") if " " in logical else logical.partition("\t")
    name, rest = name.upper(), rest.strip()
    if name not in KNOWN:
        raise SyntaxProblem(number, f"`{name[:20]}` is no instruction")
    if not rest:
        raise SyntaxProblem(number, f"{name} stands alone")
    flags = []
    while name != "ENV" and (flag := FLAG.match(rest)):
        flags.append((flag[1], flag[2] if flag[2] is not None else "true"))
        rest = rest[flag.end() :]
    heredocs = []
    if name in TAKES_HEREDOCS:
        for dash, quote, word in HEREDOC.findall(rest):
            content, at = _until(word, dash == "-", lines, at, number)
            heredocs.append(Heredoc(word, content, expands=not quote))
    return Instruction(number, name, tuple(flags), rest, tuple(heredocs)), at


def _until(word: str, strips: bool, lines: Sequence[str], at: int, number: int) -> tuple[str, int]:
    kept = []
    while at < len(lines):
        line = lines[at].lstrip("\t") if strips else lines[at]
        at += 1
        if line == word:
            return "".join(f"{one}\n" for one in kept), at
        kept.append(line)
    raise SyntaxProblem(number, f"the here-document `{word}` has no end")


def words(text: str) -> list[str]:
    """Split at blanks outside of quotes. Quotes and backslashes stay: `expand` takes them away."""
    found, word, quote, at = [], "", "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text) and quote != "'":
            word += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char.isspace():
            if word:
                found.append(word)
            word, at = "", at + 1
            continue
        word += char
        at += 1
    return [*found, word] if word else found


VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+?])([^}]*))?\})")


def expand(word: str, known: Mapping[str, str]) -> str:
    """Put variables in, and take quotes and backslashes away. An unknown variable is empty."""
    out, at, quote = [], 0, ""
    while at < len(word):
        char = word[at]
        if char == "\\" and at + 1 < len(word) and quote != "'":
            out.append(word[at + 1])
            at += 2
        elif char in "\"'" and quote in ("", char):
            quote = "" if quote else char
            at += 1
        elif char == "$" and quote != "'" and (variable := VARIABLE.match(word, at)):
            out.append(_value(variable, known))
            at = variable.end()
        else:
            out.append(char)
            at += 1
    whole = "".join(out)
    if len(whole) > MOST_CHARACTERS:
        raise SyntaxProblem(0, f"variables that make a text of more than {MOST_CHARACTERS:,} characters")
    return whole


def _value(variable: re.Match[str], known: Mapping[str, str]) -> str:
    name, how, other = variable[1] or variable[2], variable[3] or "", variable[4] or ""
    value = known.get(name)
    there = bool(value) if how.startswith(":") else value is not None
    if how.endswith("-"):
        return value or "" if there else expand(other, known)
    if how.endswith("+"):
        return expand(other, known) if there else ""
    return value or ""


def pairs(text: str, known: Mapping[str, str]) -> dict[str, str]:
    """The names and values of ENV, ARG and LABEL, in both of ENV's forms."""
    split = words(text)
    if split and "=" not in split[0]:
        name, _, value = text.partition(" ")
        return {name: expand(value.strip(), known)}
    found = {}
    for word in split:
        name, _, value = word.partition("=")
        found[expand(name, known)] = expand(value, known)
    return found
