"""The commands of `labs` for instructors, as Typer reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from labs.commands import Teaching
from labs.desk import shown, sit_down
from labs.errors import LabsError
from labs.machine import EMBEDDED, cores, known
from labs.results import RUNGS

Read = TypeVar("Read")


def add_to(app: typer.Typer) -> None:
    app.command(cls=Teaching)(grade)
    app.command(cls=Teaching)(release)


def grade(
    submissions: Annotated[
        Path,
        typer.Argument(
            metavar="SUBMISSIONS",
            help="A folder with one entry for each learner, an archive of it, or a CSV of git addresses.",
            show_default=False,
        ),
    ],
    lab: Annotated[
        list[str] | None,
        typer.Option(
            "--lab", metavar="LAB|STAGE", help="What to grade; may be given again. Without: every lab."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where everything is written.")] = Path(
        "grades"
    ),
    hidden: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Your own checks: FOLDER/LAB/test_*.py.", show_default=False),
    ] = None,
    seed_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="TOML: `a_lab = 4711`; data that nobody has seen.", show_default=False
        ),
    ] = None,
    due: Annotated[
        str, typer.Option(metavar="TIME", help="2026-11-30T23:59+05:30; later is late.", show_default=False)
    ] = "",
    late_percent: Annotated[
        float, typer.Option(metavar="N", help="What each begun day costs, in percent.")
    ] = 0.0,
    grace: Annotated[str, typer.Option(metavar="TIME", help="90m, 2h, 1d: not late yet.")] = "0m",
    late_days: Annotated[
        int | None, typer.Option(metavar="N", help="After so many days nothing is left.", show_default=False)
    ] = None,
    zone: Annotated[
        str,
        typer.Option(
            "--time-zone",
            metavar="ZONE",
            help="Asia/Kolkata: of times without an offset; else UTC.",
            show_default=False,
        ),
    ] = "",
    rubric: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="rubric.md: criteria that a person marks.", show_default=False),
    ] = None,
    again: Annotated[
        list[str] | None,
        typer.Option(
            "--again",
            metavar="LEARNER|LAB|LEARNER/LAB",
            help="Grade this once more, though it is graded; may be given again.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Leave what was handed in before as it is.", show_default=False),
    ] = "",
    repeat: Annotated[
        int, typer.Option(min=1, metavar="N", help="Grade each N times and name what is flaky.")
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Gradings at a time; one per core.", show_default=False),
    ] = None,
    pool: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Grade on the machines of this Prefect work pool; docs/instructors.md.",
            show_default=False,
        ),
    ] = "",
    tier: Annotated[
        str, typer.Option(metavar="TIER", help="embedded, or local: with the real things.")
    ] = EMBEDDED,
    isolation: Annotated[
        str, typer.Option(metavar="RUNG", help=f"The least that you accept: {', '.join(RUNGS)}.")
    ] = "locked",
) -> None:
    """For instructors: grade a cohort of strangers' work.

    Stopped or killed at any time, the same command goes on and ends with the same gradebook.

    Exit status: 0 all graded, 2 bad input, 3 work that could not be read or is gone, 4 our fault.

    \b
    Examples:
      labs grade submissions/ --lab A_LAB
      labs grade export.zip --lab A_STAGE --due 2026-11-30T23:59+05:30 --late-percent 10
      labs grade cohort.csv --hidden private/ --seed-file seeds.toml
      labs grade submissions/ --again A_LAB      # after a check was mended
    """
    from labs.cohort.desk import Order, grade_cohort, read_seeds
    from labs.cohort.late import LatePolicy, duration, moment, time_zone
    from labs.cohort.screen import screen
    from labs.cohort.summary import say

    if isolation not in RUNGS:
        raise LabsError(f"--isolation {isolation}: no such rung.", f"There are: {', '.join(RUNGS)}.")
    if hidden and not hidden.is_dir():
        raise LabsError(
            f"--hidden {hidden}: no such folder.", "It holds a folder with test_*.py for each lab."
        )
    if (late_percent or late_days is not None) and not due:
        raise LabsError("Nothing can be late without --due.", "Add it: --due 2026-11-30T23:59+05:30")
    here = time_zone(zone) if zone else None
    with sit_down() as desk:
        chosen = desk.catalog.select(tuple(lab)) if lab else desk.catalog.labs
        order = Order(
            source=submissions,
            out=out,
            labs=chosen,
            tier=known(tier),
            workers=workers or cores(),
            repeat=repeat,
            seeds=read_seeds(seed_file, desk.catalog.labs) if seed_file else {},
            hidden=hidden,
            least=isolation,
            zone=here,
            policy=LatePolicy(
                _read("--due", moment, due, here), late_percent, _read("--grace", duration, grace), late_days
            )
            if due
            else None,
            since=_read("--since", moment, since, here) if since else None,
            again=tuple(again or ()),
            rubric=rubric,
            pool=pool,
        )
        try:
            with screen(desk) as drawn:
                graded = grade_cohort(desk.catalog, order, drawn)
        except KeyboardInterrupt:
            desk.err.print("What was graded is kept. The same command goes on from here.")
            raise
        raise typer.Exit(say(desk, order.out, graded, order.policy is not None))


def _read(option: str, read: Callable[..., Read], *given: object) -> Read:
    """
    Raises:
        LabsError: what `read` says, with the option's name.
    """
    try:
        return read(*given)
    except LabsError as error:
        raise LabsError(f"{option} {error.message}", error.next_step) from error


def release(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where it goes; a new folder.")],
) -> None:
    """For instructors: write the learners' repository.

    Without answers and without history: one commit, a Codespace, and a workflow for GitHub Classroom.

    \b
    Example:
      labs release ../mlops-labs
    """
    from labs.release import release as write

    with sit_down() as desk:
        made = write(desk.catalog, target)
        said = f"{made.labs} labs, {made.files} files, from commit {made.commit[:12]}"
        desk.out.print(f"✓ {shown(made.folder)}: {said}", soft_wrap=True)
        desk.out.print(f"  next  cd {shown(made.folder)} && make start", soft_wrap=True)
