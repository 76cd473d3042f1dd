"""The commands of `labs` for those who write labs, as Typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

from labs import catalog
from labs.commands import Teaching, labs_and_stages, stages
from labs.desk import shown
from labs.errors import LabsError
from labs.machine import EMBEDDED, known


def add_to(app: typer.Typer) -> None:
    app.command(cls=Teaching)(new)
    app.command(cls=Teaching)(verify)


def new(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The stage's folder.", autocompletion=stages)],
    slug: Annotated[str, typer.Argument(metavar="NAME", help="Lower case, with underscores.")],
    title: Annotated[str, typer.Option(metavar="TEXT", help="What the lab is about, in a few words.")],
) -> None:
    """For authors: make a new lab that verifies.

    \b
    Example:
      labs new A_STAGE warm_the_cache --title "Warm the cache"
    """
    from labs import scaffold

    folder = scaffold.new(catalog.load(catalog.ROOT), stage, slug, title)
    print(f"Made {shown(folder)}\n  next  labs verify {slug}")


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LAB|STAGE", help="Labs or stages.", autocompletion=labs_and_stages, show_default=False
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Also what has not changed since it last verified.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write the mistakes' expected.txt; then read them.")
    ] = False,
    tier: Annotated[
        str, typer.Option(metavar="TIER", help="embedded, or local: with the real things of this machine.")
    ] = EMBEDDED,
    named: Annotated[
        bool,
        typer.Option("--named", help="Of each mistake, run only the checks that its expected.txt names."),
    ] = False,
) -> None:
    """For authors: prove that a lab grades rightly.

    Right answers must pass, and every mistake must fail with the feedback that is written down.

    \b
    Examples:
      labs verify                # every lab that changed
      labs verify --write        # also write the feedback that each mistake gets
      labs verify A_LAB --fresh
      labs verify --named        # in a part of the time; what CI runs
    """
    from labs.verify import main as verify_labs

    if named and write:
        raise LabsError("--named sees only a part of the feedback; --write needs all.", "Leave out --named.")
    root, tier = catalog.ROOT, known(tier)
    code = verify_labs(tuple(names or ()), fresh=fresh, write=write, root=root, tier=tier, named=named)
    raise typer.Exit(code)
