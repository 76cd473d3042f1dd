"""What a learner does around a check: start, take a hint, begin again, compare with our solution."""

from __future__ import annotations

import textwrap

from labs.catalog import Lab
from labs.desk import Desk, shown, stands_in
from labs.errors import LabsError
from labs.hints import read_hints
from labs.machine import real_words
from labs.results import LabResult, State


def start(desk: Desk, lab: Lab) -> None:
    """Copy the starter, or say that the work is there already; then where, what to read and what to run."""
    folder = desk.workspace.folder(lab.slug)
    fresh = desk.workspace.start(lab)
    desk.store.started(lab.slug)
    print(
        f"Started {lab.slug}: {lab.title}."
        if fresh
        else f"{lab.slug} is started already; nothing was changed."
    )
    if not fresh and not any(folder.iterdir()):
        print(f"  note    The folder is empty. A new starter: labs reset {lab.slug}")
    before = [slug for slug in lab.after if not _passed(desk, slug)]
    if before:
        names = " and ".join(before)
        print(f"  note    It builds on {names}, which you have not passed; you can begin all the same.")
    print(
        f"  files   {shown(folder)}/   ({', '.join(lab.files)})"
        if lab.files
        else f"  files   {shown(folder)}/"
    )
    print(f"  brief   {shown(lab.folder / 'README.md')}   (plan about {lab.minutes} minutes)")
    print(f"  next    Read the brief, edit the files, then: labs check {lab.slug}")


def hint(desk: Desk, lab: Lab, name: str | None) -> None:
    """Show one more hint for a check; when all were shown, show them all again."""
    hints = read_hints(lab)
    progress = desk.store.read(lab.slug)
    if name is None:
        result = progress.result
        if result is None:
            raise LabsError("A hint needs a result to start from.", f"First: labs check {lab.slug}")
        if result.passed_here:
            rest = real_words(result.lacking)
            passed = "Everything" if not rest else f"Everything that can be checked without {rest}"
            print(f"{passed} in {lab.slug} passed: there is nothing to hint at.")
            return
        name = _first_open(result)
    if not hints.get(name):
        known = ", ".join(hints) or "none"
        raise LabsError(f"{lab.slug} has no hints for {name!r}.", f"It has hints for: {known}.")
    given = hints[name]
    before = min(progress.hints.get(name, 0), len(given))
    first, last = (before, before + 1) if before < len(given) else (0, len(given))
    print(f"{_title(progress.result, name)}\n")
    for number in range(first, last):
        print(textwrap.indent(given[number], "     ").replace("     ", f"  {number + 1}. ", 1))
    if before < len(given):
        desk.store.hinted(lab.slug, name, last)
    if last < len(given):
        print(f"\nHint {last} of {len(given)}. The next one: labs hint {lab.slug} {name}")
    else:
        print(f"\nThat was the last of {len(given)}. Still stuck: labs solution {lab.slug} --give-up")


def reset(desk: Desk, lab: Lab) -> None:
    """Put the work into a backup and a new starter in its place."""
    folder = desk.workspace.folder(lab.slug)
    inside = stands_in(folder)
    backup = desk.workspace.reset(lab)
    desk.store.forget(lab.slug)
    print(f"{lab.slug} is as new." if backup else f"Started {lab.slug}: there was nothing to back up.")
    if backup:
        print(f"  backup  {backup if inside else shown(backup)}/")
    print(f"  files   {folder if inside else shown(folder)}/")
    if inside:  # the shell followed the old folder into the backup
        print(f"  note    Your shell now stands in the backup. Leave it: cd {folder}")
    print(f"  next    labs check {lab.slug}")


def solution(desk: Desk, lab: Lab, give_up: bool) -> None:
    """Copy our solution beside the learner's folder.

    Raises:
        LabsError: the lab has not passed and the learner does not give up.
    """
    if not give_up and not _passed(desk, lab.slug):
        raise LabsError(
            f"{lab.slug} has not passed yet: trying is what teaches.",
            f"A hint: labs hint {lab.slug}. To see it all the same: labs solution {lab.slug} --give-up",
        )
    target, copied = desk.workspace.copy_solution(lab)
    print(
        f"Our solution of {lab.slug}: one right answer, not the only one."
        if copied
        else "It is there already:"
    )
    print(f"  files   {shown(target)}/")
    print(f"  next    diff -ru {shown(desk.workspace.folder(lab.slug))} {shown(target)}")


def _first_open(result: LabResult) -> str:
    for state in (State.FAILED, State.NOT_STARTED):
        for check in result.checks:
            if check.state is state:
                return check.name
    raise LabsError(
        f"Nothing in {result.lab} failed; something could not be checked.",
        f"See why: labs check {result.lab}",
    )


def _title(result: LabResult | None, name: str) -> str:
    for check in result.checks if result else ():
        if check.name == name:
            return f"{check.title}   ({name})"
    return name


def _passed(desk: Desk, slug: str) -> bool:
    return desk.store.read(slug).passed > 0
