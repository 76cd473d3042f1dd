"""The author's gate: proves that a lab's grader lets right answers pass, and only those.

docs/lab-anatomy.md says what each gate demands. `verify` is the engine's own entry, `main` the command's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO

from labs import catalog as catalogs
from labs.catalog import Catalog, Lab
from labs.errors import LabsError
from labs.fingerprint import of_rules
from labs.machine import EMBEDDED
from labs.verify import expected, memory
from labs.verify.case import SOLUTION, Case, Grades, Grading, Key
from labs.verify.gates import GATES, open_gate, title
from labs.verify.gradings import Wanted, grade, grade_all, wanted
from labs.verify.report import Report, Verdict

__all__ = ["Report", "Verdict", "in_ci", "main", "verify"]

OK, OFFENDERS, BAD_INPUT, STOPPED = 0, 1, 2, 130


def main(
    names: Sequence[str] = (), fresh: bool = False, write: bool = False, root: Path = catalogs.ROOT,
    out: IO[str] | None = None, tier: str = EMBEDDED, named: bool = False,
) -> int:  # fmt: skip
    """`labs verify`: all labs, or those named by slug or stage. Returns the exit status."""
    report = Report(out)
    try:
        return _main(tuple(names), fresh or in_ci(), write, root, report, tier, named)
    except LabsError as error:
        report.error(error.message, error.next_step)
        return BAD_INPUT
    except KeyboardInterrupt:
        report.quiet()
        report.line("Stopped. What had verified before is remembered; nothing else was kept.")
        return STOPPED


def in_ci() -> bool:
    """Most CI services set CI; "false" and an empty text mean no."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def verify(
    catalog: Catalog,
    labs: Sequence[Lab],
    grader: Grades | None,
    report: Report,
    *,
    fresh: bool = False,
    write: bool = False,
    tier: str = EMBEDDED,
    second_look: bool = False,
    named: bool = False,
) -> Iterator[Verdict]:
    """Grade all that the labs' gates need side by side, then open the gates, lab by lab.

    `grader` may be None if nothing is stale; it grades at `tier`. A `second_look` (see `Case`) is not remembered.
    """
    todo = stale(catalog, labs, fresh or write, tier, named)
    marks = {lab.slug: of_rules(lab) for lab in todo}
    plan = (
        [one for lab in todo for one in wanted(catalog, lab, write, tier, second_look, named)]
        if grader
        else []
    )
    gradings = _grade(plan, grader, report) if grader else {}
    for lab in labs:
        if lab not in todo or grader is None:
            yield Verdict(lab, unchanged=True)
            continue
        began = time.monotonic()
        case = Case(catalog, lab, gradings.get(lab.slug, {}), tier, second_look, named)
        if write:
            for diff in expected.write(case, expected.plain):
                report.diff(diff)
                marks[lab.slug] = of_rules(lab)
        verdict = _open_gates(_timed_alone(case, grader), report, began)
        if second_look:
            pass
        elif verdict.ok:
            memory.remember(catalog, lab, marks[lab.slug], tier, named)
        else:
            memory.forget(catalog, lab, tier)
        yield verdict


def stale(
    catalog: Catalog, labs: Sequence[Lab], fresh: bool, tier: str = EMBEDDED, named: bool = False
) -> list[Lab]:
    """The labs that have changed since they last verified; with `fresh`, all."""
    return [lab for lab in labs if fresh or not memory.remembers(catalog, lab, tier, named)]


def _main(
    names: tuple[str, ...], fresh: bool, write: bool, root: Path, report: Report, tier: str, named: bool
) -> int:
    malformed: dict[Path, LabsError] = {}
    catalog = catalogs.load(root, malformed)
    labs, refused = _chosen(catalog, names, malformed)
    for error in refused:
        report.error(error.message, error.next_step)
    if not labs and not refused:
        raise LabsError(f"There are no labs below {catalog.root}.", "Write the first: labs new")
    verdicts = []
    with _grader(catalog, stale(catalog, labs, fresh or write, tier, named), report, tier) as grader:
        for verdict in verify(
            catalog, labs, grader, report, fresh=fresh, write=write, tier=tier, named=named
        ):
            report.verdict(verdict)
            verdicts.append(verdict)
    report.summary(verdicts, len(refused))
    return OK if all(verdict.ok for verdict in verdicts) and not refused else OFFENDERS


def _grader(
    catalog: Catalog, labs: Sequence[Lab], report: Report, tier: str
) -> AbstractContextManager[Grades | None]:
    """A grader that is warm for all these labs; none for none, because warming up takes seconds."""
    if not labs:
        return nullcontext()
    from labs.grading import Grader

    report.progress("Starting the grader")
    warm = dict.fromkeys(name for lab in labs for name in lab.warm)
    return Grader(catalog.root, warm=tuple(warm), tier=tier)


def _chosen(
    catalog: Catalog, names: tuple[str, ...], malformed: dict[Path, LabsError]
) -> tuple[tuple[Lab, ...], list[LabsError]]:
    """The labs to verify, and the errors of those whose lab.toml cannot be read."""
    if not names:
        return catalog.labs, list(malformed.values())
    refused: dict[Path, LabsError] = {}
    good = []
    for name in names:
        last = name.strip("/").rsplit("/", 1)[-1]
        stage = {s.folder for s in catalog.stages if last in (s.name, f"stage{s.number}", str(s.number))}
        meant = {f: e for f, e in malformed.items() if f.parent in stage or last in (f.name, f.name[3:])}
        refused |= meant
        if stage or not meant:
            good.append(name)
    return catalog.select(tuple(good)), list(refused.values())


def _grade(todo: Sequence[Wanted], grader: Grades, report: Report) -> dict[str, dict[Key, Grading]]:
    ended = 0

    def done(one: Wanted, grading: Grading) -> None:
        nonlocal ended
        ended += 1
        report.progress(f"{ended} of {len(todo)} gradings done ({one.lab.slug}: {one.key.variant})")

    if todo:
        report.progress(f"0 of {len(todo)} gradings done")
    return grade_all(grader, todo, done)


def _timed_alone(case: Case, grader: Grades) -> Case:
    """Busy cores make a check slower, never quicker: one that was too slow is timed again, alone, up to three times."""
    key, lab = Key(SOLUTION, case.lab.seed), case.lab
    for _ in range(3):
        found = case.gradings.get(key)
        if case.second_look or found is None or found.result is None:
            break
        if all(check.seconds <= lab.check_seconds for check in found.result.checks):
            break
        alone = grade(grader, Wanted(lab, key, lambda _: lab.solution))
        case = replace(case, gradings={**case.gradings, key: alone})
    return case


def _open_gates(case: Case, report: Report, began: float) -> Verdict:
    gates = []
    for gate in GATES:
        report.progress(f"{case.lab.slug}: {title(gate)}")
        gates.append((title(gate), tuple(open_gate(gate, case))))
    solution = case.gradings.get(Key(SOLUTION, case.lab.seed))
    checks = solution.result.checks if solution and solution.result else ()
    return Verdict(
        lab=case.lab,
        gates=tuple(gates),
        gradings=len(case.gradings),
        slowest_check=max((check.seconds for check in checks), default=0.0),
        unproven=tuple(check.name for check in checks if check.lacks),
        work_seconds=time.monotonic() - began + sum(one.seconds for one in case.gradings.values()),
    )
