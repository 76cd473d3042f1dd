"""What the course's image can run: `start.py mlflow | prefect | worker | fraud | traffic`, and further arguments.

Secrets are read from /run/secrets here and go into the environment of the one program that needs them: they stand in no
configuration of the container, so `docker inspect` does not show them, and on no command line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

SECRETS = Path("/run/secrets")
DATABASE = os.environ.get("COURSE_DATABASE", "postgres:5432")
BUCKET = "mlflow"
PATIENCE_SECONDS = 60


def secret(name: str) -> str:
    try:
        return (SECRETS / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SystemExit(
            f"The secret {name} cannot be read: {error}.\n  next  python3 infra/compose/make_secrets.py"
        ) from None


def mlflow(more: list[str]) -> None:
    """The tracking server: PostgreSQL for what happened, the object store for what was made."""
    identity = json.loads(secret("s3.json"))["identities"][0]["credentials"][0]
    os.environ.update(
        {
            "AWS_ACCESS_KEY_ID": identity["accessKey"],
            "AWS_SECRET_ACCESS_KEY": identity["secretKey"],
            "MLFLOW_BACKEND_STORE_URI": f"postgresql://mlflow:{secret('postgres_mlflow')}@{DATABASE}/mlflow",
        }
    )
    make_bucket()
    run(
        "mlflow",
        "server",
        "--host",
        "0.0.0.0",
        "--port",
        "5001",
        "--workers",
        "1",
        "--artifacts-destination",
        f"proxied-s3://{BUCKET}/artifacts",
        "--serve-artifacts",
        *more,
    )


def make_bucket() -> None:
    """Make MLflow's bucket unless it is there; wait for the store for a while."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"], region_name="us-east-1")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if BUCKET not in {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}:
                store.create_bucket(Bucket=BUCKET)
            return
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"The object store does not give the bucket {BUCKET}: {error}") from None
            time.sleep(1)


def prefect(more: list[str]) -> None:
    """The API and the pages."""
    password = secret("postgres_prefect")
    os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = (
        f"postgresql+asyncpg://prefect:{password}@{DATABASE}/prefect"
    )
    run("prefect", "server", "start", "--host", "0.0.0.0", "--port", "4200", *more)


def worker(more: list[str]) -> None:
    """Runs deployments as processes, of the work pool `course`, which it makes if it is not there."""
    run("prefect", "worker", "start", "--pool", "course", "--type", "process", "--with-healthcheck", *more)


def fraud(more: list[str]) -> None:
    # One worker: metrics of several processes would need a shared folder, and replicas are the platform's business.
    run(
        "uvicorn",
        "--factory",
        "reference_service.app:create_app",
        "--host",
        "0.0.0.0",
        "--port",
        "8080",
        "--no-access-log",
        *more,
    )


def traffic(more: list[str]) -> None:
    run("python", "-m", "reference_service.traffic", "--alive", "/tmp/alive", *more)


def run(program: str, *arguments: str) -> None:
    """Become the program: signals then reach it without us."""
    os.execvp(program, [program, *arguments])


PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "mlflow": mlflow,
    "prefect": prefect,
    "worker": worker,
    "fraud": fraud,
    "traffic": traffic,
}


def main(argv: list[str]) -> int:
    if not argv or argv[0] not in PROGRAMS:
        print(f"usage: start.py {' | '.join(PROGRAMS)} [arguments]", file=sys.stderr)
        return 2
    PROGRAMS[argv[0]](argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
