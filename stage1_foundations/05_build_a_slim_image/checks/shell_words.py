"""Splits the text of a RUN into simple commands. What a shell would compute (`$(…)`, loops) is only marked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dockerfile_syntax import VARIABLE, expand

COMPUTED = "⟨computed⟩"
FROM_SECRET = "⟨secret⟩"
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


QUOTED = {"$": "\ue000", "`": "\ue001", ";": "\ue002"}  # in the place of characters that a shell leaves alone
TO_FILE = (">", ">>", ">|", "&>", "&>>")
Mark = Callable[[str], str]


@dataclass
class Command:
    """One simple command: its words, what is set in front of it, where its input comes from and its output goes."""

    words: list[str]
    assigned: dict[str, str] = field(default_factory=dict)
    output: str = ""
    input: str = ""
    appends: bool = False


def commands(text: str, mark: Mark = lambda _: COMPUTED) -> tuple[list[list[list[str]]], bool]:
    """The pipelines in order, each of them the tokens of its commands; and whether there are branches.

    `mark` says what stands for the output of `$(…)`, whose text it gets.
    """
    text = SUBSTITUTION.sub(lambda found: mark(found[0].strip("$()`")), _protected(_one_line(text)))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";<>|&()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return [], True
    found: list[list[list[str]]] = []
    current: list[str] = []
    branches = piped = False
    for token in [*tokens, ";"]:
        if token and set(token) <= set(";&|()"):
            if current and piped:
                found[-1].append(current)
            elif current:
                found.append([current])
            piped, current = bool(current) and token in ("|", "|&"), []
        elif not current and token in KEYWORDS:
            branches = branches or token in BRANCHES
        else:
            current.append(token)
    return found, branches


def _one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return " ; ".join(re.sub(r"\\$", "", line) for line in lines)


def _protected(text: str) -> str:
    """What stands in single quotes, or behind a backslash, is no variable and no command."""
    out, quote, at = [], "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'" and at + 1 < len(text):
            follows = text[at + 1]
            out.append(QUOTED[follows] if follows in "$`" else char + follows)
            at += 2
            continue
        if char in "\"'" and quote in ("", char):
            quote = "" if quote else char
        out.append(QUOTED.get(char, char) if quote == "'" else char)
        at += 1
    return "".join(out)


def _restored(text: str) -> str:
    for char, instead in QUOTED.items():
        text = text.replace(instead, char)
    return text


def resolve(tokens: list[str], known: Mapping[str, str]) -> Command:
    """Put variables in; take redirections and leading assignments off. Unknown variables are marked as computed."""
    kept: list[str] = []
    command = Command([])
    skip = ""
    for token in tokens:
        if skip:
            if skip in TO_FILE:
                command.output, command.appends = _put_in(token, known), skip.endswith(">>")
            elif skip == "<":
                command.input = _put_in(token, known)
            skip = ""
        elif token and set(token) <= set("<>&|"):
            skip = token
            if kept and kept[-1].isdigit():
                skip = token if kept.pop() == "1" else "2>"  # where errors go does not matter here
        else:
            kept.append(token)
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
            return FROM_SECRET if FROM_SECRET in word else COMPUTED
    return _restored(expand(word, known) if "$" in word else word)
