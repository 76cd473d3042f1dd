"""Work that looks alike is pointed out, whatever was renamed; work that is alike because of the task is not."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from labs.cohort import similar
from labs.cohort.similar import K_GRAM, WINDOW, alike, tokens, winnow

BEGINNINGS = [
    "total = ",
    "if not total: total = ",
    "total += ",
    "for a in range(b): total -= ",
    "while b: b = ",
]
OPERATORS = ["+", "-", "*", "/", "%", "//", "**", "&", "|", "^", "<", ">", "=="]


def program(seed: int, lines: int = 60) -> str:
    """A program of its own: loops, branches and sums, drawn by chance."""
    draws = random.Random(seed)
    text = ["def work(a, b):", "    total = 0"]
    for _ in range(lines):
        names = [draws.choice(["a", "b", "total"]) for _ in range(draws.randint(2, 5))]
        sums = names[0] + "".join(f" {draws.choice(OPERATORS)} {name}" for name in names[1:])
        start = draws.choice(
            [
                "total = ",
                "if not total: total = ",
                "total += ",
                "for a in range(b): total -= ",
                "while b: b = ",
            ]
        )
        text.append(f"    {start}{sums}")
    return "\n".join([*text, "    return total", ""])


def renamed(text: str) -> str:
    text = (
        text.replace("total", "result")
        .replace("work", "solve")
        .replace(" a", " first")
        .replace("(a", "(first")
    )
    return "# my own work\n\n" + text.replace("\n", "\n\n").replace("    ", "  ")


def cohort(tmp_path: Path, **works: str) -> dict[str, Path]:
    folders = {}
    for learner, text in works.items():
        folders[learner] = tmp_path / learner
        folders[learner].mkdir(parents=True)
        (folders[learner] / "app.py").write_text(text)
    return folders


def test_a_renamed_copy_is_found_and_strangers_are_not(tmp_path: Path) -> None:
    own = {f"learner{n}": program(n) for n in range(12)}
    works = cohort(tmp_path, **own, copy=renamed(program(3)))
    [pair] = alike("a_lab", works)
    assert set(pair.learners) == {"copy", "learner3"}
    assert pair.share > 0.9
    assert pair.files == (("app.py", "app.py"),)


def test_half_a_copy_is_found(tmp_path: Path) -> None:
    own = {f"learner{n}": program(n) for n in range(12)}
    half = program(3).splitlines()[:40] + program(99).splitlines()[:25]
    found = alike("a_lab", cohort(tmp_path, **own, half="\n".join(half)), least_share=0.3)
    assert [set(pair.learners) for pair in found] == [{"half", "learner3"}]


def test_what_the_starter_gives_does_not_count(tmp_path: Path) -> None:
    given = program(1000)
    starter = cohort(tmp_path / "s", starter=given) if (tmp_path / "s").mkdir() is None else {}
    works = cohort(tmp_path, **{f"learner{n}": given + program(n) for n in range(6)})
    assert alike("a_lab", works, given=starter.values()) == []


def test_what_nearly_all_share_does_not_count(tmp_path: Path) -> None:
    idiom = program(2000, lines=30)
    works = cohort(tmp_path, **{f"learner{n}": idiom + program(n, lines=20) for n in range(12)})
    assert alike("a_lab", works) == []


def test_copies_are_named_however_many_there_are(tmp_path: Path) -> None:
    """Two copies or eight of twelve: one row names them all. Copies in which a little was changed are named, too."""
    own = {f"learner{n}": program(n) for n in range(4)}
    copies = {f"copy{n}": renamed(program(3)) for n in range(7)}
    [group] = alike("a_lab", cohort(tmp_path / "same", **own, **copies))
    assert set(group.learners) == {*copies, "learner3"} and group.share == 1.0
    changed = {f"copy{n}": program(3) + program(100 + n, lines=4) for n in range(7)}
    found = alike("a_lab", cohort(tmp_path / "near", **own, **changed))
    assert {name for one in found for name in one.learners} == {*changed, "learner3"}
    short = {f"learner{n}": f"def add(a, b):\n    return sum([a, b, {n % 2}]) - {n % 2}\n" for n in range(5)}
    found = alike("a_lab", cohort(tmp_path / "short", **short))
    assert [one.learners for one in found] == [("learner0", "learner2", "learner4"), ("learner1", "learner3")]


def test_the_same_as_the_starter_or_the_solution_is_no_copy(tmp_path: Path) -> None:
    works = cohort(tmp_path / "in", **{f"learner{n}": program(7) for n in range(5)})
    solution = cohort(tmp_path / "course", solution=program(7))
    assert len(alike("a_lab", works)) == 1
    assert alike("a_lab", works, given=solution.values()) == []


def test_a_group_that_handed_in_together_is_no_pair(tmp_path: Path) -> None:
    folder = cohort(tmp_path, one=program(1))["one"]
    assert alike("a_lab", {"asha": folder, "ravi": folder}) == []


def test_a_match_of_k_plus_window_tokens_is_always_found() -> None:
    """The paper's guarantee."""
    draws = random.Random(5)
    shared = [str(draws.random()) for _ in range(K_GRAM + WINDOW - 1)]
    for _ in range(50):
        one, other = ([str(draws.random()) for _ in range(draws.randint(20, 60))] for _ in range(2))
        assert winnow(one + shared + other) & winnow(other + shared + one)


def test_what_is_no_python_is_read_as_words() -> None:
    assert list(tokens("def (:\n  x = 'a\n")) == ["def", "(", ":", "x", "=", "'", "a"]
    assert list(tokens("FROM python:3.11 # base\n", python=False)) == ["FROM", "python", ":", "N", ".", "N"]


@pytest.mark.parametrize("seed", range(30))
def test_no_pair_that_can_be_named_is_passed_over(seed: int) -> None:
    """Against a look at every pair."""
    rng = random.Random(seed)
    bases = [rng.sample(range(60), rng.randint(1, 40)) for _ in range(3)]
    works = [
        {one for one in rng.choice(bases) if rng.random() < 0.85} | set(rng.sample(range(60, 90), 2))
        for _ in range(rng.randint(2, 25))
    ]
    spread = Counter(one for work in works for one in work)
    common = {one for one, count in spread.items() if count > max(3, 0.25 * len(works))}
    found = similar._candidates(works, spread, common, 0.5)
    for a, b in combinations(range(len(works)), 2):
        first, second = works[a], works[b]
        rare, other = first - common, second - common
        if len(first & second) >= 0.8 * min(len(first), len(second)) or (
            rare & other and len(rare & other) >= 0.5 * min(len(rare), len(other))
        ):
            assert (a, b) in found
