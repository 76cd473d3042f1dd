"""Prefect's own API server, in one process: SQLite in DATA, or PostgreSQL when LABS_DATABASE_URL names one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from labs.services.programs import databases, templates
from labs.services.programs.web import serve

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

DATABASE = "PREFECT_API_DATABASE_CONNECTION_URL"
MAKE = "make"


def main(argv: list[str]) -> int:
    if argv == [MAKE]:
        asyncio.run(_make_here())
        return 0
    data = Path(argv[1])
    store = databases.address("prefect", driver="postgresql+asyncpg")
    if not store:
        prepare(data)
        store = _sqlite(data / "prefect.db")
        os.environ["PREFECT_API_BLOCKS_REGISTER_ON_START"] = "false"  # they are in the copy
    os.environ[DATABASE] = store
    if "prefect" in sys.modules:  # a fork: what stood in the environment when it was imported is of no use
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()
    if store.startswith("sqlite"):
        _let_writers_wait(store)
    serve("prefect.server.api.server:create_app", int(argv[0]), factory=True)
    return 0


def prepare(data: Path) -> None:
    """What needs more rights than serving does: the tables, and their copy for the next time."""
    templates.lay_out("prefect", data / "prefect.db", _make)


def _make(path: Path) -> None:
    """In a process of its own: Prefect reads where its database is when it is imported."""
    subprocess.run(
        [sys.executable, "-P", "-m", "labs.services.programs.prefect_api", MAKE],
        env={**os.environ, DATABASE: _sqlite(path)},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=True,
    )


async def _make_here() -> None:
    from prefect.server.database import provide_database_interface
    from prefect.server.models.block_registration import run_block_auto_registration

    database = provide_database_interface()
    await database.create_db()
    async with await database.session() as session:
        await run_block_auto_registration(session)


def _let_writers_wait(url: str) -> None:
    """Every transaction asks for SQLite's one write lock when it begins, and waits for it.

    Prefect begins most of them as readers. One that comes to write after another has written cannot wait any more
    (SQLITE_BUSY_SNAPSHOT, https://www.sqlite.org/isolation.html): the server answers 503, and its client sleeps for
    seconds. This way many flows can run side by side.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration
    from prefect.server.database.dependencies import set_database_config

    class Waiting(AioSqliteConfiguration):
        @asynccontextmanager
        async def begin_transaction(
            self, session: AsyncSession, with_for_update: bool = False
        ) -> AsyncGenerator[AsyncSessionTransaction, None]:
            async with super().begin_transaction(session, with_for_update=True) as transaction:
                yield transaction

    set_database_config(Waiting(url))


def _sqlite(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
