"""Prefect's own API server, in one process: SQLite in DATA, or PostgreSQL when LABS_DATABASE_URL names one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from labs.services.programs import databases, templates

DATABASE = "PREFECT_API_DATABASE_CONNECTION_URL"


def main(argv: list[str]) -> int:
    data = Path(argv[1])
    store = databases.address("prefect", driver="postgresql+asyncpg")
    if not store:
        templates.lay_out("prefect", data / "prefect.db", _make)
        store = _sqlite(data / "prefect.db")
    os.environ[DATABASE] = store
    if "prefect" in sys.modules:  # a fork: what stood in the environment when it was imported is of no use
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()
    import uvicorn

    uvicorn.run("prefect.server.api.server:create_app", factory=True, fd=int(argv[0]), log_level="warning")
    return 0


def _make(path: Path) -> None:
    """In a process of its own: Prefect reads where its database is when it is imported."""
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"],
        env={**os.environ, DATABASE: _sqlite(path)},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=True,
    )


def _sqlite(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
