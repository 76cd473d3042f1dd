"""The commands of `labs` about services, as Typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

from labs.commands import Json, Teaching
from labs.desk import sit_down
from labs.machine import COMPOSE, EMBEDDED, known


def _names(incomplete: str) -> list[str]:
    from labs.services import KINDS

    return [name for name in KINDS if name.startswith(incomplete)]


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="SERVICE", help="Services.", autocompletion=_names, show_default=False),
]


def add_to(app: typer.Typer) -> None:
    for command in (up, down, status, env):
        app.command(cls=Teaching)(command)


def up(
    names: Names = None,
    tier: Annotated[
        str,
        typer.Option(
            metavar="TIER",
            help="embedded; local: the real program where it is found; or compose: a container.",
        ),
    ] = EMBEDDED,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin with no data; the old data is kept aside.")
    ] = False,
) -> None:
    """Start services: those that you name, or those of your lab.

    What runs already stays as it is. They run until `labs down`, also when you close the terminal.

    \b
    Examples:
      labs up
      labs up mlflow redis
      labs up redis --tier local
      source <(labs env)         # tells your shell where they are
    """
    from labs import service_desk

    with sit_down() as desk:
        service_desk.up(desk, names or (), known(tier, (COMPOSE,)), fresh)


def down(names: Names = None) -> None:
    """End services: those that you name, or all. Their data is kept.

    \b
    Examples:
      labs down
      labs down mlflow
    """
    from labs import service_desk

    with sit_down() as desk:
        service_desk.down(desk, names or ())


def status(as_json: Json = False) -> None:
    """Show the services: what runs and answers, and where.

    Exits with 1 if one that should run does not answer.

    \b
    Examples:
      labs status
      labs status --json
    """
    from labs import service_desk

    with sit_down() as desk:
        if not service_desk.status(desk, as_json):
            raise typer.Exit(1)


def env() -> None:
    """Print where the running services are, as lines for a shell.

    \b
    Example:
      source <(labs env)
    """
    from labs import service_desk

    with sit_down() as desk:
        service_desk.env(desk)
