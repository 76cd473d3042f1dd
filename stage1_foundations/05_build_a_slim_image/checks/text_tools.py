"""Tools that turn text into text, such as `grep` and `sed`: what a RUN writes with them is found by running them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_NAMES = "cat echo printf grep egrep fgrep sed awk mawk cut tr head tail sort uniq tac rev nl fold paste base64 tee"
TEXT_TOOLS = frozenset(_NAMES.split())
_SAYS_LITTLE = {"--quiet", "--silent", "--count", "--files-with-matches"}  # of grep: no text of the file


@dataclass(frozen=True)
class Worked:
    """What a pipeline printed, and the files as it left them."""

    output: bytes
    files: Mapping[str, bytes]


# A pipeline, each command by its words, over files by path. None when it could not be run.
TextTools = Callable[[Sequence[Sequence[str]], Mapping[str, bytes]], Worked | None]


def passes_text_on(name: str, words: Sequence[str]) -> bool:
    """Whether the command prints what it reads."""
    if name in ("grep", "egrep", "fgrep"):
        options = [word for word in words[1:] if word.startswith("-")]
        short = set("".join(word[1:] for word in options if not word.startswith("--")))
        return not (short & set("qclL") or _SAYS_LITTLE & set(options))
    return name in TEXT_TOOLS
