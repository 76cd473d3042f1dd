"""Which files of a folder are sent to the builder: `.dockerignore`, by Docker's own rules.

Source: https://docs.docker.com/build/concepts/context/#dockerignore-files, and moby/patternmatcher, which every
builder uses: patterns are Go's filepath.Match with `**` added, rooted at the context; the last one that matches a file,
or a folder above it, decides; a line with `!` takes files back in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass


class NoPattern(ValueError):
    """A text that Go's filepath.Match refuses, or one that nobody should have to match."""


MOST_STARS = 8  # more need a time that nobody has


@dataclass(frozen=True)
class Pattern:
    text: str
    takes_back: bool
    regex: re.Pattern[str]
    line: int = 0

    def matches(self, path: str) -> bool:
        """Whether it means this path, or a folder above it."""
        parts = path.split("/")
        return any(self.regex.fullmatch("/".join(parts[:depth])) for depth in range(len(parts), 0, -1))


def read_patterns(data: bytes) -> list[Pattern]:
    """The patterns of a .dockerignore. A line that is no pattern (a bracket without its end) raises NoPattern."""
    found = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        if line.startswith("#"):
            continue
        text = line.strip()
        takes_back = text.startswith("!")
        text = text[1:].strip() if takes_back else text
        if not text:
            continue
        text = posixpath.normpath(text).lstrip("/")
        if text and text != ".":
            found.append(Pattern(text, takes_back, as_regex(text), number))
    return found


def sent(paths: Iterable[str], patterns: list[Pattern]) -> list[str]:
    """Those of the paths (relative, with `/`) that reach the builder."""
    return [path for path in paths if not ignored(path, patterns)]


def ignored(path: str, patterns: list[Pattern]) -> bool:
    out = False
    for pattern in patterns:
        if pattern.takes_back == out and pattern.matches(path):
            out = not pattern.takes_back
    return out


def as_regex(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stop at a slash; `**` does not; `[a-z]` and `\\x` are as in Go."""
    pattern = re.sub(r"(\*\*/)+", "**/", pattern)
    if pattern.count("*") > MOST_STARS:
        raise NoPattern(f"a pattern with more than {MOST_STARS} stars")
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if pattern[at : at + 1] == "/":
                at += 1
            out += ".*" if at >= len(pattern) else "(.*/)?"
            continue
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "\\":
            at += 1
            if at >= len(pattern):
                raise NoPattern(f"`{pattern}` ends in a backslash")
            out += re.escape(pattern[at])
        elif char == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                raise NoPattern(f"`{pattern}` has a bracket without its end")
            out += "[" + pattern[at + 1 : end].replace("\\", "\\\\") + "]"
            at = end
        else:
            out += re.escape(char)
        at += 1
    try:
        return re.compile(out, re.DOTALL)
    except re.error:
        raise NoPattern(f"`{pattern}` is no pattern") from None
