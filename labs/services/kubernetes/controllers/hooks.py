"""How long a preStop hook takes. A `sleep` hook, and a command that sleeps in the foreground, take their seconds.

A command is read as a shell reads it, as far as sleeping goes: commands one after the other, `&` puts one behind,
`wait` waits for those. Any other command takes no time, and so does what this reader does not know (loops, conditions,
variables).

Sources: https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/ and POSIX.1-2024, Shell Command
Language, 2.9.3 "Lists"
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from labs.services.kubernetes.objects import Obj

_SHELLS = {"sh", "ash", "bash", "dash"}
_BEFORE = {"exec", "nohup", "command", "busybox", "env", "setsid"}
"""Words that run the command after them, and return when it does."""
_OPERATOR = re.compile(r"&&|\|\||[;&|()\n]")
_REDIRECTION = re.compile(r"\d*(?:>>|[<>])&?")
_COPY, _COMMENT = re.compile(r"\d*>&\d+"), re.compile(r"(^|\s)#[^\n]*")
_TIME = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def pre_stop_seconds(container: Obj) -> float:
    """Seconds from the call of a container's preStop hook until it returns; 0 without one."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if hook.get("sleep"):
        return float(hook["sleep"].get("seconds") or 0)
    words = [str(one) for one in (hook.get("exec") or {}).get("command") or []]
    if words and _base(words[0]) in _SHELLS:
        return _script_seconds(_script(words))
    return _sleeps(words)


def _base(word: str) -> str:
    return word.rpartition("/")[2]


def _script(words: list[str]) -> str:
    """What follows `-c`, alone or at the end of other letters, as in `-ec`; "" without it."""
    for index, word in enumerate(words[1:-1], 1):
        if word.startswith("-") and word.endswith("c"):
            return words[index + 1]
        if not word.startswith("-"):
            break
    return ""


def _script_seconds(script: str) -> float:
    try:
        return _list_seconds(iter(list(_tokens(script))))
    except (
        ValueError,
        RecursionError,
    ):  # a quote that is not closed, as the shell would say, or too many groups
        return 0.0


def _tokens(script: str) -> Iterator[str]:
    """Words and operators. Redirections are left out."""
    script = _COMMENT.sub(r"\1", _COPY.sub(" ", script))
    reader = shlex.shlex(script, posix=True, punctuation_chars=";&|()\n")
    reader.whitespace, reader.whitespace_split, reader.commenters = " \t\r", True, ""
    target = False
    for token in reader:
        parts = _OPERATOR.findall(token)
        if "".join(parts) == token:
            yield from parts
        elif not target and not _REDIRECTION.match(token):
            yield token
        target = bool(_REDIRECTION.fullmatch(token))


def _list_seconds(tokens: Iterator[str]) -> float:
    """The commands up to the end of a group, or of the script."""
    total, behind = 0.0, 0.0
    words: list[str] = []
    group = 0.0
    for token in tokens:
        if token in ("(", "{") and not words:
            group += _list_seconds(tokens)
        elif not _OPERATOR.fullmatch(token) and token != "}":
            words.append(token)
        else:
            if words == ["wait"]:
                total, behind = max(total, behind), 0.0
            elif token == "&":
                behind = max(behind, total + group + _sleeps(words))
            else:
                total += group + _sleeps(words)
            if words[:1] in (["exit"], ["exec"]):
                return total
            words, group = [], 0.0
            if token in (")", "}"):
                return total
    return max(total, behind) if words == ["wait"] else total + group + _sleeps(words)


def _sleeps(words: list[str]) -> float:
    """How long one command sleeps; 0 for any other."""
    while words and _base(words[0]) in _BEFORE:
        words = words[1:]
    if not words or _base(words[0]) != "sleep":
        return 0.0
    found = [_TIME.fullmatch(one) for one in words[1:]]
    if not all(found):
        return 0.0
    return sum(float(one[1]) * _UNITS[one[2]] for one in found if one)
