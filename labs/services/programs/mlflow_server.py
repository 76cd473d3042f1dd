"""MLflow's own server, in one process: SQLite in DATA, or PostgreSQL when LABS_DATABASE_URL names one.

With PostgreSQL it is the application that `mlflow server` starts. With SQLite it is the part of it that answers for
tracking, registry, artifacts and pages, which `mlflow server --gunicorn-opts` starts: without the layers around it (for
traces by OpenTelemetry, gateway and jobs) a request takes about 7 ms of CPU instead of 11. Both listen on a socket that
is given; the variables that tell them where things are belong to MLflow 3 (`mlflow.server`) and are not documented,
hence the cap on its version.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from labs.services.programs import databases, templates
from labs.services.programs.web import serve


def main(argv: list[str]) -> int:
    data = Path(argv[1])
    database = databases.address("mlflow")
    store = database
    if not store:
        prepare(data)
        store = f"sqlite:///{data / 'mlflow.db'}"
    os.environ.update(
        {
            "_MLFLOW_SERVER_FILE_STORE": store,
            "_MLFLOW_SERVER_REGISTRY_STORE": store,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(data / "artifacts"),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        }
    )
    if database:
        serve("mlflow.server.fastapi_app:app", int(argv[0]))
    else:
        serve("mlflow.server:app", int(argv[0]), interface="wsgi")
    return 0


def prepare(data: Path) -> None:
    """What needs more rights than serving does: the tables, and their copy for the next time."""
    templates.lay_out("mlflow", data / "mlflow.db", _make)


def _make(path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    new: Any = SqlAlchemyStore
    new(f"sqlite:///{path}", str(path.parent)).engine.dispose()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
