"""The commands of `labs` as Typer reads them: names, options, help. A command imports what is slow."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from labs import __version__, board, catalog, lessons, practice
from labs.catalog import Catalog
from labs.desk import sit_down
from labs.errors import LabsError
from labs.machine import LOCAL, known


class Teaching(TyperCommand):
    """A command whose examples name a lab that exists: the engine itself names none."""

    def get_help(self, ctx: Any) -> str:
        return _with_real_names(super().get_help(ctx))


class TeachingGroup(TyperGroup):
    def get_help(self, ctx: Any) -> str:
        return _with_real_names(super().get_help(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)  # in the order of a learner's day, not of the alphabet


app = typer.Typer(
    cls=TeachingGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _course() -> Catalog:
    """For help and completion, which must work in a broken checkout as well."""
    try:
        return catalog.load(catalog.ROOT, malformed={})
    except (LabsError, OSError):
        return Catalog(catalog.ROOT, ())


def _slugs(incomplete: str) -> list[tuple[str, str]]:
    return [(lab.slug, lab.title) for lab in _course().labs if lab.slug.startswith(incomplete)]


def stages(incomplete: str) -> list[tuple[str, str]]:
    return [(stage.name, stage.title) for stage in _course().stages if stage.name.startswith(incomplete)]


def labs_and_stages(incomplete: str) -> list[tuple[str, str]]:
    return _slugs(incomplete) + stages(incomplete)


LabName = Annotated[str, typer.Argument(metavar="LAB", help="The lab's name.", autocompletion=_slugs)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


@app.callback(invoke_without_command=True)
def labs(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Hands-on MLOps labs. Read a brief, edit the files in work/, and get an answer in seconds.

    \b
    A first quarter of an hour:
      labs list
      labs start A_LAB
      labs check A_LAB
      labs hint A_LAB
    """
    if version:
        print(f"labs {__version__}")
    elif ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command("list", cls=Teaching)
def list_(as_json: Json = False) -> None:
    """Show every lab, where you stand, and what comes next.

    \b
    Examples:
      labs list
      labs list --json
    """
    with sit_down() as desk:
        if as_json:
            print(board.as_json(desk))
        else:
            board.show(desk)


@app.command(cls=Teaching)
def start(lab: LabName) -> None:
    """Begin a lab: copy its starter to work/.

    If you began before, your files stay as they are.

    \b
    Example:
      labs start A_LAB
    """
    with sit_down() as desk:
        lessons.start(desk, desk.catalog.lab(lab))


@app.command(cls=Teaching)
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LAB|STAGE",
            help="Labs or stages. Without: the lab whose folder you are in, else the last started.",
            autocompletion=labs_and_stages,
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Check every lab of the course.")] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="CHECK",
            help="Only this check, and those that it stands on; not remembered.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Check again whenever you save, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
    seed: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draw the data from another seed.", show_default=False),
    ] = None,
    solution: Annotated[bool, typer.Option("--solution", help="Check our solution, not your work.")] = False,
    tier: Annotated[
        str,
        typer.Option(metavar="TIER", help="local: with the real things found here; embedded: without them."),
    ] = LOCAL,
) -> None:
    """Check your work, and say what to mend first.

    Exit status: 0 all passed, 1 something failed or is not started, 3 could not check, 4 our fault.

    \b
    Examples:
      labs check                 # the lab that you are working on
      labs check --watch         # again at every save
      labs check --seed 7        # on data that you have not seen
      labs check A_LAB
      labs check A_LAB --only A_CHECK
      labs check A_STAGE --json
    """
    if watch and (as_json or solution):
        raise LabsError("--watch goes with neither --json nor --solution.", "Leave one of them out.")
    if everything and names:
        raise LabsError(f"--all means every lab, and {names[0]} is one name.", "Give either names or --all.")
    with sit_down() as desk:
        chosen = desk.catalog.labs if everything else desk.catalog.select(tuple(names or ()))
        if not chosen and names:
            raise LabsError(f"No lab of {', '.join(names)} is written yet.", "See what is: labs list")
        chosen = chosen or (desk.current(),)
        asked = practice.Asked(seed, known(tier), practice.one_check(chosen, only) if only else "")
        if watch:
            practice.watch(desk, chosen, asked)
        else:
            raise typer.Exit(practice.check(desk, chosen, asked, as_json, solution))


@app.command(cls=Teaching)
def hint(
    lab: LabName,
    check: Annotated[
        str | None,
        typer.Argument(
            metavar="CHECK", help="A check's name. Without: the first that failed.", show_default=False
        ),
    ] = None,
) -> None:
    """Show a hint for the first check that failed.

    First a nudge; each time a little more.

    \b
    Examples:
      labs hint A_LAB
      labs hint A_LAB A_CHECK
    """
    with sit_down() as desk:
        lessons.hint(desk, desk.catalog.lab(lab), check)


@app.command(cls=Teaching)
def reset(lab: LabName) -> None:
    """Begin a lab again; your files are kept in a backup.

    They are moved to work/.backups/, and nothing is deleted.

    \b
    Example:
      labs reset A_LAB
    """
    with sit_down() as desk:
        lessons.reset(desk, desk.catalog.lab(lab))


@app.command(cls=Teaching)
def solution(
    lab: LabName,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="See it although the lab has not passed.")
    ] = False,
) -> None:
    """Put our solution beside your work, to compare.

    After the lab passed, or with --give-up. Your own files are not touched.

    \b
    Examples:
      labs solution A_LAB
      labs solution A_LAB --give-up
    """
    with sit_down() as desk:
        lessons.solution(desk, desk.catalog.lab(lab), give_up)


@app.command(cls=Teaching)
def doctor(as_json: Json = False) -> None:
    """Say what this machine can do and what is missing.

    Also how safely it can run a stranger's code.

    \b
    Examples:
      labs doctor
      labs doctor --json
    """
    from labs.doctor import main as examine

    raise typer.Exit(examine(as_json=as_json))


def _with_real_names(text: str) -> str:
    course = _course()
    lab = course.labs[0].slug if course.labs else "LAB"
    stage = course.stages[0].name if course.stages else "STAGE"
    return text.replace("A_LAB", lab).replace("A_STAGE", stage).replace("A_CHECK", "name_of_a_check")
