"""Submissions that look alike: a place to look, never a verdict.

Fingerprints by winnowing: Schleimer, Wilkerson, Aiken, "Winnowing: Local Algorithms for Document Fingerprinting"
(SIGMOD 2003), over the tokens of a program. Names and values are replaced by their kind, so renaming changes nothing;
layout and comments are no tokens. What the starter gives to everybody, and what stands in the solution, does not count.
Passages that very many share count only where nearly everything is shared.
"""

from __future__ import annotations

import io
import keyword
import math
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

K_GRAM = 12  # tokens; matches that are shorter are never found
WINDOW = 8  # a match of K_GRAM + WINDOW - 1 tokens is always found
COMMON_SHARE = 0.25  # a fingerprint that more of the cohort share says little
NEARLY_ALL = 0.8  # of all fingerprints, also of common ones: such pairs are always named
MOST_BYTES = 1 << 20
LANGUAGES = (".py", ".sh", ".sql", ".tf", ".yaml", ".yml", ".toml", "Dockerfile", ".js")
WORDS = re.compile(r"[A-Za-z_]\w*|\d+|[^\w\s]")


@dataclass(frozen=True)
class Alike:
    """Learners whose work for a lab looks alike: one group whose work is the same, or two such groups of any size.

    `share` is the part of the smaller one's fingerprints that the other has too, 0 to 1; `shared` how many that are.
    """

    learners: tuple[str, ...]
    lab: str
    share: float
    shared: int
    files: tuple[tuple[str, str], ...]


def fingerprints(folder: Path) -> dict[int, set[str]]:
    """Each fingerprint of the programs below a folder, and the files in which it stands."""
    found: dict[int, set[str]] = defaultdict(set)
    for path, text in _programs(folder):
        for one in winnow(list(tokens(text, path.suffix == ".py"))):
            found[one].add(path.relative_to(folder).as_posix())
    return dict(found)


def _programs(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(LANGUAGES) and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                yield path, file.read(MOST_BYTES).decode("utf-8", "replace")


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


def alike(
    lab: str, works: Mapping[str, Path], given: Iterable[Path] = (), least_share: float = 0.5, least: int = 12
) -> list[Alike]:
    """Learners whose work for a lab is the same or looks alike, the most alike first.

    Args:
        works: each learner's folder. Learners of one folder handed it in together.
        given: what everybody has, or everybody may have come to: the starter, the solution.
        least_share, least: work that is not the same is named from this share, and this number, of shared fingerprints.
    """
    known = {one for folder in given if folder.is_dir() for one in fingerprints(folder)}
    groups: dict[object, list[str]] = defaultdict(list)
    of: dict[str, dict[int, set[str]]] = {}
    for folder, learner in {
        folder: learner for learner, folder in sorted(works.items(), reverse=True)
    }.items():
        of[learner] = {one: files for one, files in fingerprints(folder).items() if one not in known}
        # A few fingerprints are soon the same by chance; then the words must be, too.
        groups[frozenset(of[learner]), _words(folder) if len(of[learner]) < least else 0].append(learner)
    same = [sorted(learners) for learners in groups.values() if of[learners[0]]]
    found = [
        Alike(tuple(group), lab, 1.0, len(of[group[0]]), _files(of[group[0]], of[group[1]], of[group[0]]))
        for group in same
        if len(group) > 1
    ]
    spread = Counter(one for group in same for one in of[group[0]])
    common = {one for one, count in spread.items() if count > max(3, COMMON_SHARE * len(same))}
    for a, b in sorted(_candidates([of[group[0]].keys() for group in same], spread, common, least_share)):
        one, other = same[a], same[b]
        first, second = of[one[0]], of[other[0]]
        both = first.keys() & second.keys()
        share, shared = _share(both, first.keys(), second.keys()), len(both)
        if share < NEARLY_ALL:
            both -= common
            share, shared = _share(both, first.keys() - common, second.keys() - common), len(both)
        if shared >= least and share >= least_share:
            found.append(Alike((*one, *other), lab, share, shared, _files(first, second, both)))
    return sorted(found, key=lambda one: (-one.share, -len(one.learners), -one.shared, one.learners))


def _candidates(
    works: Sequence[Set[int]], spread: Mapping[int, int], common: Set[int], least_share: float
) -> set[tuple[int, int]]:
    """Numbers of all pairs that can be named, without a look at every pair. Who has most of another's fingerprints has
    at least one of the other's rarest, because only so few may be missing (prefix filtering: Chaudhuri, Ganti,
    Kaushik, "A Primitive Operator for Similarity Joins in Data Cleaning", ICDE 2006).
    """
    holders: dict[int, list[int]] = defaultdict(list)
    for number, prints in enumerate(works):
        for one in prints:
            holders[one].append(number)
    found = set()
    for number, prints in enumerate(works):
        rarest_first = sorted(prints, key=lambda one: (spread[one], one))
        rare = [one for one in rarest_first if one not in common]
        prefix = {*_prefix(rarest_first, NEARLY_ALL), *_prefix(rare, least_share)}
        others = set[int]().union(*(holders[one] for one in prefix)) - {number}
        found |= {(min(number, other), max(number, other)) for other in others}
    return found


def _prefix(rarest_first: Sequence[int], share: float) -> Sequence[int]:
    """So many that whoever has this share of all has one of them."""
    return rarest_first[: len(rarest_first) - math.ceil(share * len(rarest_first)) + 1]


def _share(both: Set[int], first: Set[int], second: Set[int]) -> float:
    return len(both) / max(1, min(len(first), len(second)))


def _files(
    first: Mapping[int, set[str]], second: Mapping[int, set[str]], both: Iterable[int]
) -> tuple[tuple[str, str], ...]:
    """The pairs of files that share most."""
    counts = Counter((a, b) for each in both for a in first[each] for b in second[each])
    return tuple(pair for pair, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3])


def _words(folder: Path) -> str:
    """The programs without spaces and line ends."""
    return "\0".join("".join(text.split()) for _, text in _programs(folder))
