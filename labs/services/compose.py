"""The compose tier: services of docker-compose.yml, started and ended one by one by Docker itself.

Addresses are fixed, and passwords are where infra/compose/make_secrets.py has put them: docs/services-compose.md.
"""

from __future__ import annotations

import functools
import subprocess
import sys

from labs.catalog import ROOT
from labs.errors import LabsError
from labs.services.programs.found import program

SECRETS = ROOT / "infra" / "compose" / "secrets"
WAIT_SECONDS = 600  # the first time it builds and pulls
GET_IT = "have Docker with its compose plugin"


@functools.cache
def there() -> bool:
    """Whether an engine answers, and its command knows `compose`."""
    docker = program("docker")
    return bool(docker) and all(_works(docker, *words) for words in (("compose", "version"), ("info",)))


def up(*services: str) -> None:
    """Start these and what they need, and come back when all are healthy.

    Raises:
        LabsError: Docker could not; with its last words.
    """
    _run([sys.executable, str(SECRETS.parent / "make_secrets.py")], "make the secrets")
    waiting = ("--detach", "--build", "--wait", "--wait-timeout", str(WAIT_SECONDS))
    _run([*_compose(), "up", *waiting, *services], f"start {' and '.join(services)}")


def down(*services: str) -> None:
    """End these; their data stays in its volumes."""
    _run([*_compose(), "rm", "--stop", "--force", *services], f"end {' and '.join(services)}")


def secret(name: str) -> str:
    """The content of a file of secrets.

    Raises:
        OSError: it was not made yet.
    """
    return (SECRETS / name).read_text(encoding="utf-8").strip()


def _compose() -> list[str]:
    file = str(ROOT / "docker-compose.yml")
    return [
        program("docker"),
        "compose",
        "--project-directory",
        str(ROOT),
        "--file",
        file,
        "--profile",
        "all",
    ]


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * WAIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabsError(f"Docker could not {what}: {error}", "Is the engine well? docker info") from None
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise LabsError(f"Docker could not {what}: {words}", "Look closer: docker compose --profile all logs")


def _works(docker: str, *words: str) -> bool:
    try:
        done = subprocess.run(
            [docker, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
