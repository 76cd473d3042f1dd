"""Grades everything that the gates need, side by side, from one warm grader."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from labs.catalog import Catalog, Lab
from labs.errors import LabsError
from labs.machine import EMBEDDED, cores
from labs.verify.case import BREAKAGE, EXPECTED, SOLUTION, STARTER, Grades, Grading, Key, seeds, shows
from labs.verify.expected import not_passed, text_of
from labs.workspace import compose

NOT_TEXT = bytes(range(256)) * 8  # NUL bytes, and no valid UTF-8
A_STRANGERS_FOLDER = {
    "README.md": "# Shopping list\n\nRice, lentils, tea.\n",
    "main.py": "def main():\n    print('hello')\n\n\nif __name__ == '__main__':\n    main()\n",
    "data/prices.csv": "item,price\nrice,60\ntea,140\n",
    "notes/to do.txt": "call the landlord\n",
}


@dataclass(frozen=True)
class Wanted:
    """One grading to do. `build` gets an empty scratch folder and returns the folder to grade."""

    lab: Lab
    key: Key
    build: Callable[[Path], Path]
    only: Sequence[str] = ()  # titles of checks; without, all


def wanted(
    catalog: Catalog,
    lab: Lab,
    repeat_mistakes: bool,
    tier: str = EMBEDDED,
    second_look: bool = False,
    named: bool = False,
) -> Iterator[Wanted]:
    """Every grading that the gates of this lab look at; folders that do not exist are left out.

    `named`: of a mistake, only the checks that its expected.txt names as not passed.
    """
    if lab.solution.is_dir():
        for seed in seeds(lab, second_look):
            yield Wanted(lab, Key(SOLUTION, seed), lambda _: lab.solution)
        for folder in lab.alternatives:
            for seed in seeds(lab, second_look):
                yield Wanted(lab, Key(f"alternatives/{folder.name}", seed), _over_solution(lab, folder))
        for folder in (one for one in lab.mistakes if shows(one, tier, second_look)):
            only = not_passed(text_of(folder / EXPECTED[tier])) if named else []
            for again in (False, True) if repeat_mistakes else (False,):
                key = Key(f"mistakes/{folder.name}", lab.seed, again)
                yield Wanted(lab, key, _over_solution(lab, folder), only)
    if lab.starter.is_dir():
        yield Wanted(lab, Key(STARTER, lab.seed), lambda _: lab.starter)
        builds = (_empty, _not_text(lab), _strangers(catalog, lab))
        for name, build in zip(BREAKAGE, builds, strict=True):
            yield Wanted(lab, Key(name, lab.seed), build)


def grade_all(
    grader: Grades, todo: Iterable[Wanted], done: Callable[[Wanted, Grading], None]
) -> dict[str, dict[Key, Grading]]:
    """Grade on all cores; `done` hears of each as it ends. Gradings by the slug of their lab."""
    gradings: dict[str, dict[Key, Grading]] = {}
    pool = ThreadPoolExecutor(max_workers=cores(), thread_name_prefix="verify")
    try:
        running = {pool.submit(grade, grader, one): one for one in todo}
        for future in as_completed(running):
            one = running[future]
            gradings.setdefault(one.lab.slug, {})[one.key] = future.result()
            done(one, future.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return gradings


def grade(grader: Grades, one: Wanted) -> Grading:
    """One grading. What breaks in it becomes a sentence: the other labs and gates go on."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="labs-verify-", ignore_cleanup_errors=True) as scratch:
            folder = one.build(Path(scratch))
            result = grader.grade(one.lab, folder, seed=one.key.seed, only=one.only)
        return Grading(result, seconds=time.monotonic() - began)
    except LabsError as error:
        return Grading(None, error=" ".join(f"{error.message} {error.next_step}".split()))
    except Exception as error:  # a broken engine must still name the lab and the folder
        return Grading(None, error=f"{type(error).__name__}: {error}")


def _over_solution(lab: Lab, folder: Path) -> Callable[[Path], Path]:
    def build(scratch: Path) -> Path:
        compose(lab.solution, folder, scratch / "work")
        return scratch / "work"

    return build


def _empty(scratch: Path) -> Path:
    return scratch


def _not_text(lab: Lab) -> Callable[[Path], Path]:
    """The starter, with bytes that are no text in every file that a learner hands in."""

    def build(scratch: Path) -> Path:
        target = scratch / "work"
        shutil.copytree(lab.starter, target)
        for name in lab.files:
            for path in _files_below(lab.solution / name):
                broken = target / path.relative_to(lab.solution)
                broken.parent.mkdir(parents=True, exist_ok=True)
                broken.unlink(missing_ok=True)
                broken.write_bytes(NOT_TEXT)
                broken.chmod(path.stat().st_mode & 0o777)
        return target

    return build


def _files_below(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def _strangers(catalog: Catalog, lab: Lab) -> Callable[[Path], Path]:
    """The solution of another lab which hands in other files; without one, a folder from elsewhere."""
    others = (o for o in catalog.labs if o.slug != lab.slug and not set(o.files) & set(lab.files))
    other = next((o for o in others if o.solution.is_dir()), None)
    if other is not None:
        folder = other.solution
        return lambda _: folder

    def build(scratch: Path) -> Path:
        for name, text in A_STRANGERS_FOLDER.items():
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return scratch

    return build
