"""Submissions that look alike: a place to look, never a verdict.

Fingerprints by winnowing: Schleimer, Wilkerson, Aiken, "Winnowing: Local Algorithms for Document Fingerprinting"
(SIGMOD 2003), over the tokens of a program. Names and values are replaced by their kind, so renaming changes nothing;
layout and comments are no tokens. What the starter gives to everybody, and what very many share, does not count.
"""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from zlib import crc32

K_GRAM = 12  # tokens; matches that are shorter are never found
WINDOW = 8  # a match of K_GRAM + WINDOW - 1 tokens is always found
COMMON_SHARE = 0.25  # a fingerprint that more of the cohort share says nothing
MOST_BYTES = 1 << 20
LANGUAGES = (".py", ".sh", ".sql", ".tf", ".yaml", ".yml", ".toml", "Dockerfile", ".js")
WORDS = re.compile(r"[A-Za-z_]\w*|\d+|[^\w\s]")


@dataclass(frozen=True)
class Pair:
    """Two learners. `share` is the part of the smaller one's fingerprints that the other has too, 0 to 1."""

    one: str
    other: str
    lab: str
    share: float
    shared: int
    files: tuple[tuple[str, str], ...]


def fingerprints(folder: Path) -> dict[int, set[str]]:
    """Each fingerprint of the programs below a folder, and the files in which it stands."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(LANGUAGES) and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                text = file.read(MOST_BYTES).decode("utf-8", "replace")
            for one in winnow(list(tokens(text, path.suffix == ".py"))):
                found[one].add(path.relative_to(folder).as_posix())
    return dict(found)


def tokens(text: str, python: bool = True) -> Iterator[str]:
    """What the program is made of; V for every name and N for every value."""
    if python:
        try:
            yield from list(_python(text))
            return
        except (tokenize.TokenError, SyntaxError, ValueError):
            pass  # no Python: as words
    for line in text.splitlines():
        for word in WORDS.findall(line.partition("#")[0]):
            yield "N" if word.isdigit() else word


def _python(text: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.string if keyword.iskeyword(token.string) else "V"
        elif token.type in (tokenize.NUMBER, tokenize.STRING):
            yield "N"
        elif token.type == tokenize.OP:
            yield token.string


def winnow(sequence: list[str]) -> set[int]:
    """The smallest hash of each window of k-grams; the rightmost of equal ones, as the paper has it."""
    hashes = [crc32("\0".join(sequence[i : i + K_GRAM]).encode()) for i in range(len(sequence) - K_GRAM + 1)]
    if len(hashes) <= WINDOW:
        return {min(hashes)} if hashes else set()
    chosen: set[int] = set()
    for start in range(len(hashes) - WINDOW + 1):
        chosen.add(min(hashes[start : start + WINDOW]))
    return chosen


def pairs(
    lab: str, works: Mapping[str, Path], given: Iterable[Path] = (), least_share: float = 0.5, least: int = 12
) -> list[Pair]:
    """Pairs of learners whose work for a lab looks alike, the most alike first.

    Args:
        works: each learner's folder.
        given: what everybody has: the starter.
        least_share, least: a pair is named from this share, and this number, of shared fingerprints on.
    """
    known = {one for folder in given if folder.is_dir() for one in fingerprints(folder)}
    of = {learner: fingerprints(folder) for learner, folder in works.items()}
    spread = Counter(one for prints in of.values() for one in prints)
    most = max(3, COMMON_SHARE * len(of))
    rare = {
        learner: {one for one in prints if one not in known and spread[one] <= most}
        for learner, prints in of.items()
    }
    holders: dict[int, list[str]] = defaultdict(list)
    for learner in sorted(rare):
        for one in rare[learner]:
            holders[one].append(learner)
    together: Counter[tuple[str, str]] = Counter()
    for learners in holders.values():
        together.update(combinations(learners, 2))
    found = []
    for (first, second), shared in together.items():
        share = shared / min(len(rare[first]), len(rare[second]))
        if shared >= least and share >= least_share:
            common = rare[first] & rare[second]
            files = Counter((a, b) for each in common for a in of[first][each] for b in of[second][each])
            found.append(
                Pair(first, second, lab, share, shared, tuple(pair for pair, _ in files.most_common(3)))
            )
    return sorted(found, key=lambda pair: (-pair.share, -pair.shared, pair.one, pair.other))
