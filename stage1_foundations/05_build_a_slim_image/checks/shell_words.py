"""Splits the text of a RUN into simple commands. What a shell would compute (`$(…)`, loops) is only marked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from dockerfile_syntax import VARIABLE, expand

COMPUTED = "⟨computed⟩"
SUBSTITUTION = re.compile(r"\$\([^()]*\)|`[^`]*`")
KEYWORDS = {
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "for",
    "do",
    "done",
    "while",
    "until",
    "case",
    "esac",
    "{",
    "}",
    "!",
}
BRANCHES = {"if", "for", "while", "until", "case"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass
class Command:
    """One simple command: its words, what is set in front of it, and where its output goes."""

    words: list[str]
    assigned: dict[str, str] = field(default_factory=dict)
    output: str = ""


def commands(text: str) -> tuple[list[list[str]], bool]:
    """The tokens of each simple command in order, and whether there are branches, so that not all of them must run."""
    lexer = shlex.shlex(_one_line(SUBSTITUTION.sub(COMPUTED, text)), posix=True, punctuation_chars=";<>|&()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return [], True
    found: list[list[str]] = []
    current: list[str] = []
    branches = False
    for token in [*tokens, ";"]:
        if token and set(token) <= set(";&|()"):
            if current:
                found.append(current)
                current = []
        elif not current and token in KEYWORDS:
            branches = branches or token in BRANCHES
        else:
            current.append(token)
    return found, branches


def _one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return " ; ".join(re.sub(r"\\$", "", line) for line in lines)


def resolve(tokens: list[str], known: Mapping[str, str]) -> Command:
    """Put variables in; take redirections and leading assignments off. Unknown variables are marked as computed."""
    kept: list[str] = []
    output, skip = "", ""
    for token in tokens:
        if skip:
            output = _put_in(token, known) if skip.startswith(">") else output
            skip = ""
        elif token and set(token) <= set("<>&"):
            skip = token
            if kept and kept[-1].isdigit():
                kept.pop()  # the 2 of 2>file
                skip = "<"  # where errors go does not matter here
        else:
            kept.append(token)
    command = Command([], output=output)
    known = dict(known)
    for token in kept:
        if not command.words and ASSIGNMENT.match(token):
            name, _, value = token.partition("=")
            command.assigned[name] = known[name] = _put_in(value, known)
        else:
            command.words.append(_put_in(token, known))
    return command


def _put_in(word: str, known: Mapping[str, str]) -> str:
    for variable in VARIABLE.finditer(word):
        if (variable[1] or variable[2]) not in known and not variable[3]:
            return COMPUTED
    return expand(word, known) if "$" in word else word
