"""Makes the secrets that docker-compose.yml mounts, once, into infra/compose/secrets/ (git ignores it).

    python3 infra/compose/make_secrets.py

What exists stays: a database remembers the password that it was made with. Needs nothing but Python. The folder is
yours alone (0700). The files in it can be read by all (0444), because Compose mounts a file as it is and the services
run under other user ids; nobody else can come through the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "secrets"
S3_USER = "mlflow"


def password() -> str:
    """Letters, digits, - and _ only: it also stands in addresses and in configuration files."""
    return secrets.token_urlsafe(24)


def redis_settings() -> str:
    return f"requirepass {password()}\n"


def s3_identities() -> str:
    """The one user of the object store, as SeaweedFS reads it."""
    keys = {"accessKey": secrets.token_hex(10), "secretKey": password()}
    return json.dumps(
        {
            "identities": [
                {
                    "name": S3_USER,
                    "credentials": [keys],
                    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                }
            ]
        }
    )


SECRETS: dict[str, Callable[[], str]] = {
    "postgres_nukkad": password,
    "postgres_mlflow": password,
    "postgres_prefect": password,
    "redis.conf": redis_settings,
    "s3.json": s3_identities,
    "grafana_admin": password,
}


def make(folder: Path = FOLDER) -> list[str]:
    """Make what is missing; the names of what was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = []
    for name, new in SECRETS.items():
        if (folder / name).is_dir():
            # An engine makes an empty folder for a file that was missing when the stack was started.
            with contextlib.suppress(OSError):
                (folder / name).rmdir()
        if not (folder / name).exists():
            _write_whole(folder / name, new())
            made.append(name)
    return made


def _write_whole(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(descriptor, 0o444)
    os.replace(temporary, path)


def main() -> int:
    try:
        made = make()
    except OSError as error:
        print(
            f"The secrets cannot be written: {error}.\n  next  Make {FOLDER} writable for you.",
            file=sys.stderr,
        )
        return 1
    print(f"Made {', '.join(made)} in {FOLDER}." if made else f"Every secret is there, in {FOLDER}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
