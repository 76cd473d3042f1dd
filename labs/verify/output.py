"""Compares what a command printed with what the brief shows; `…` stands for any text or any lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

ANY = "…"
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def difference(shown: Sequence[str], printed: str) -> str:
    """The first line that is not as shown, in a sentence; empty if all is, or if nothing is shown."""
    wanted = tuple(_trimmed(shown))
    if not wanted:
        return ""
    got = tuple(_trimmed([_as_seen(line) for line in printed.split("\n")]))
    if _matches(wanted, got):
        return ""
    agree = max(count for count in range(len(wanted)) if _matches((*wanted[:count], ANY), got))
    if agree == len(wanted) - 1 and _matches((*wanted, ANY), got):
        return "it prints more than the brief shows"
    return f"it does not print the line that the brief shows: {wanted[agree]}"


def _matches(wanted: tuple[str, ...], got: tuple[str, ...]) -> bool:
    patterns = [None if line.strip() == ANY else _pattern(line) for line in wanted]
    reachable = {0}  # how many lines of `got` may be used up so far
    for pattern in patterns:
        if pattern is None:
            reachable = set(range(min(reachable), len(got) + 1))
        else:
            reachable = {n + 1 for n in reachable if n < len(got) and pattern.fullmatch(got[n])}
        if not reachable:
            return False
    return len(got) in reachable


@lru_cache(maxsize=1024)
def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in line.split(ANY)))


def _as_seen(line: str) -> str:
    """Without colour, and with what a carriage return has overwritten gone."""
    return COLOUR.sub("", line.rstrip("\r")).rsplit("\r", 1)[-1]


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Without spaces at the ends of lines, and without empty lines at both ends."""
    trimmed = [line.rstrip() for line in lines]
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    while trimmed and not trimmed[0]:
        trimmed.pop(0)
    return trimmed
