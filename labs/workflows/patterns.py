"""Patterns of branches, tags and paths.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
and, for `hashFiles` and artifacts, https://github.com/actions/toolkit/tree/main/packages/glob.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_WILDCARDS = 8  # more of them make a regular expression slow, and no honest pattern has them


@lru_cache(maxsize=512)
def _filter(pattern: str) -> re.Pattern[str]:
    """A filter pattern: `*` stays within a folder, `**` does not; `?` and `+` follow a character; `[]` is a range."""
    if len(re.findall(r"\*+|[?+]", pattern)) > MAX_WILDCARDS:
        return re.compile(re.escape(pattern))
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] in "?+" and out:
            out, at = out + pattern[at], at + 1
        elif pattern[at] == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            out, at = out + "[" + pattern[at + 1 : end].replace("\\", "\\\\") + "]", end + 1
        elif pattern[at] == "\\" and at + 1 < len(pattern):
            out, at = out + re.escape(pattern[at + 1]), at + 2
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    try:
        return re.compile(out)
    except re.error:
        return re.compile(re.escape(pattern))


def matches(name: str, pattern: str) -> bool:
    """Whether one filter pattern, without a leading `!`, fits the whole name."""
    return _filter(pattern).fullmatch(name) is not None


def selected(name: str, filters: Iterable[str]) -> bool:
    """Whether a list of filter patterns selects a name: the last one that fits decides; `!` takes away."""
    inside = False
    for pattern in filters:
        if matches(name, pattern.removeprefix("!")):
            inside = not pattern.startswith("!")
    return inside


@lru_cache(maxsize=512)
def _glob(pattern: str) -> re.Pattern[str]:
    """A file glob: as in a shell, with `**` for any number of folders; a folder stands for all that is in it."""
    if len(re.findall(r"\*+", pattern)) > MAX_WILDCARDS:
        return re.compile(re.escape(pattern))
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return re.compile(out + "(?:/.*)?")


def chosen(name: str, globs: Iterable[str]) -> bool:
    """Whether a list of file globs chooses a file, by its path in the workspace. `!` takes away."""
    inside = False
    for glob in globs:
        plain = glob.removeprefix("!").removeprefix("./").rstrip("/")
        if plain in ("", ".") or _glob(plain).fullmatch(name):
            inside = not glob.startswith("!")
    return inside
