"""An empty database with its tables, made once per version of a library and copied from then on.

MLflow and Prefect make their tables by running every migration since their first release, which takes longer than all
the rest of their start. The copy lies beside the libraries that it belongs to, and goes with them.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SHELF = Path(sys.prefix) / "share" / "labs-databases"
MADE = 2  # raise it when a `make` puts something else into its database


def lay_out(library: str, target: Path, make: Callable[[Path], None]) -> None:
    """Put a database with the tables of `library` at `target`, unless one is there. `make(path)` makes a new one."""
    if target.exists():
        _must_be_whole(target)
        return
    template = SHELF / f"{library}-{importlib.metadata.version(library)}-{MADE}.db"
    if not template.is_file():
        _shelve(template, make)
    with contextlib.suppress(OSError):
        _copy(template, target)
        return
    make(target)


def _must_be_whole(database: Path) -> None:
    """Say at once that a database is damaged: the libraries would try again and again, each in its own words."""
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise SystemExit(f"{database} is damaged: {found}")


def _shelve(template: Path, make: Callable[[Path], None]) -> None:
    """Make the template beside its place, and move it there whole. Where that cannot be written: no template."""
    with contextlib.suppress(OSError):
        template.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent) as folder:
            fresh = Path(folder) / "fresh.db"
            make(fresh)
            with contextlib.closing(sqlite3.connect(fresh)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                database.execute("PRAGMA journal_mode=DELETE")
            os.replace(fresh, template)


def _copy(template: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    shutil.copyfile(template, part)
    os.replace(part, target)
