"""What a lab's folder must hold, and nothing else; and the hints. docs/lab-anatomy.md is the authority."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from labs.catalog import SLUG, Lab
from labs.fingerprint import lasting
from labs.hints import FENCE, HEADING, read_hints
from labs.verify.case import EXPECTED, Case, NotGraded, Offender

FOLDERS = ("starter", "solution", "mistakes", "alternatives", "checks")
FILES = ("README.md", "lab.toml", "hints.md")
MISTAKES_NEEDED = 4
HINTS_NEEDED = 3
LEFT_BEHIND = re.compile(
    r".*~|.*\.(orig|rej|bak|swp|swo|log|pid)|\.DS_Store|Thumbs\.db|\.env|\.git|\.venv|\.idea"
)


def anatomy(case: Case) -> list[Offender]:
    """The anatomy is whole, and nothing stray lies in the folder"""
    lab = case.lab
    return [
        *_missing(lab),
        *_stray(lab),
        *(offender for folder in lab.mistakes for offender in _variant(lab, folder, "mistakes")),
        *(offender for folder in lab.alternatives for offender in _variant(lab, folder, "alternatives")),
        *_promises(case),
    ]


def _missing(lab: Lab) -> Iterator[Offender]:
    for name in FILES:
        if not (lab.folder / name).is_file():
            yield Offender(name, "it is not there", "Write it; docs/lab-anatomy.md says what it holds.")
        elif not _is_text(lab.folder / name):
            yield Offender(name, "it is not UTF-8 text", "Save it as UTF-8.")
    for name in ("starter", "solution"):
        if not (lab.folder / name).is_dir() or not any(lasting(lab.folder / name)):
            yield Offender(f"{name}/", "it is not there, or empty", f"Put the {name}'s files there.")
    if not lab.checks.is_file():
        name = lab.checks.relative_to(lab.folder).as_posix()
        yield Offender(name, "it is not there", "Write the checks in this file.")
    if len(lab.mistakes) < MISTAKES_NEEDED:
        wrong = f"it holds {len(lab.mistakes)} of at least {MISTAKES_NEEDED} mistakes"
        yield Offender("mistakes/", wrong, "Add what people really get wrong in production.")
    if not lab.alternatives:
        yield Offender("alternatives/", "it holds none", "Write another right design, from the brief alone.")
    if not lab.files:
        yield Offender("lab.toml", "files is empty", "Name the files that a learner hands in.")
    for name in lab.files:
        if not (lab.solution / name).exists():
            mend = "Add it, or take it out of `files` in lab.toml."
            yield Offender(f"solution/{name}", "the contract names it, and it is not there", mend)


def _stray(lab: Lab) -> Iterator[Offender]:
    known = {*FOLDERS, *FILES}
    for path in lasting(lab.folder):
        name = path.relative_to(lab.folder).as_posix()
        if "/" not in name and name not in known:
            yield Offender(
                name, "the anatomy has no such entry", "Move it into one of the lab's folders, or delete it."
            )
        elif path.is_symlink():
            yield Offender(name, "it is a link", "Put the file itself there.")
        elif not path.is_dir() and not path.is_file():
            yield Offender(name, "it is neither a file nor a folder", "Delete it.")
        elif LEFT_BEHIND.fullmatch(path.name):
            yield Offender(name, "it looks left behind by a tool", "Delete it.")
        elif path.is_dir() and not any(lasting(path)):
            yield Offender(f"{name}/", "it is empty: Git does not keep it", "Delete it, or put a file there.")
        elif name.count("/") == 1 and name.startswith(("mistakes/", "alternatives/")) and not path.is_dir():
            yield Offender(
                name, "only folders belong here", "Give it a folder of its own, named after what it shows."
            )


def _variant(lab: Lab, folder: Path, kind: str) -> Iterator[Offender]:
    """One folder of mistakes/ or alternatives/: only what differs from the solution, and it does differ."""
    where = f"{kind}/{folder.name}"
    if not SLUG.fullmatch(folder.name):
        yield Offender(where, "the name is not in lower_case_with_underscores", "Rename the folder.")
    expected = [folder / name for name in EXPECTED.values() if (folder / name).exists()]
    if kind == "mistakes" and not expected:
        mend = f"Run: labs verify {lab.slug} --write, and read it as a learner."
        yield Offender(f"{where}/expected.txt", "it is not there", mend)
    for path in expected:
        if kind == "alternatives":
            mend = "Delete it: an alternative passes everything."
            yield Offender(f"{where}/{path.name}", "only a mistake has one", mend)
        elif not path.is_file() or not _is_text(path):
            yield Offender(f"{where}/{path.name}", "it is not UTF-8 text", "Save it as UTF-8.")
    files = [path for path in lasting(folder) if path.is_file() and path not in expected]
    if not files:
        mend = "Add the files that differ from the solution, or removed.txt."
        yield Offender(where, "nothing in it differs from the solution", mend)
    for path in files:
        name = path.relative_to(folder)
        twin = lab.solution / name
        if name.as_posix() == "removed.txt":
            yield from _removed(lab, path, where)
        elif twin.is_file() and twin.read_bytes() == path.read_bytes():
            mend = "Delete it: only files that differ belong here."
            yield Offender(f"{where}/{name.as_posix()}", "it is the solution's file, byte for byte", mend)


def _removed(lab: Lab, path: Path, where: str) -> Iterator[Offender]:
    for name in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        if name.strip() and not (lab.solution / name.strip()).exists():
            mend = "Name a file of the solution, one a line."
            yield Offender(f"{where}/removed.txt", f"the solution has no `{name.strip()}`", mend)


def _promises(case: Case) -> Iterator[Offender]:
    """What lab.toml says about points and other labs."""
    known = {lab.slug for lab in case.catalog.labs}
    known |= {slug for stage in case.catalog.stages for slug, _ in stage.coming}
    for slug in case.lab.after:
        if slug not in known:
            yield Offender(
                "lab.toml", f"after names `{slug}`, which no stage knows", "See the slugs: labs list"
            )
    try:
        possible = case.result("solution").possible
    except NotGraded:
        return  # the gate of the solution says so
    if possible and possible != case.lab.points:
        wrong = f"points = {case.lab.points}, and the checks' points add up to {possible}"
        yield Offender("lab.toml", wrong, f"Write points = {possible}, or change the checks' points.")


def hints(case: Case) -> list[Offender]:
    """Every check has hints, and no hint stands without a check"""
    checks = [check.name for check in case.result("solution").checks]
    path = case.lab.folder / "hints.md"
    if not path.is_file() or not _is_text(path):
        return [
            Offender(
                "hints.md", "it is not there, or not UTF-8 text", "Write a `## check_name` for every check."
            )
        ]
    offenders = []
    for name, count in Counter(_headings(path.read_text(encoding="utf-8"))).items():
        if name not in checks:
            wrong = f"the heading `## {name}` names no check"
            offenders.append(Offender("hints.md", wrong, f"The checks are: {', '.join(checks)}."))
        elif count > 1:
            offenders.append(Offender("hints.md", f"`## {name}` stands there {count} times", "Make it one."))
    written = read_hints(case.lab)
    for name in checks:
        given = [hint for hint in written.get(name, ()) if hint.strip()]
        if len(given) < HINTS_NEEDED:
            wrong = f"the check `{name}` has {len(given)} of {HINTS_NEEDED} hints"
            mend = f"Below `## {name}`: 1. what to think about, 2. where to look, 3. nearly the answer."
            offenders.append(Offender("hints.md", wrong, mend))
    return offenders


def _headings(text: str) -> list[str]:
    """The `## ` headings in order, outside of blocks."""
    found = []
    fenced = False
    for line in text.splitlines():
        fenced ^= FENCE.match(line) is not None
        if not fenced and line.startswith("## "):
            heading = HEADING.fullmatch(line)
            found.append(heading[1] if heading else line[3:].strip())
    return found


def _is_text(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True
