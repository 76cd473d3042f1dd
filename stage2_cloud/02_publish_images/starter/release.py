"""Releases the services of Nukkad Pay: from a built image to what runs in production.

    python release.py setup    --service fraud
    python release.py policy   --service fraud --role publisher
    python release.py publish  --service fraud --commit SHA --image FOLDER
    python release.py deploy   --service fraud --env staging --commit SHA
    python release.py deploy   --service fraud --env prod
    python release.py rollback --service fraud --env prod
    python release.py gc       --service fraud

The arguments are read for you. Every command ends with status 75 ("not started") for now. The README says what each
must do.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

DONE, WRONG_INPUT, REFUSED, BLOCKED, API_TROUBLE = 0, 2, 3, 4, 5
NOT_STARTED = 75

# Where the records lie, and how long to wait before the second try of anything (seconds).
DEPLOYMENTS = Path(os.environ.get("DEPLOYMENTS", "deployments"))
FIRST_WAIT = float(os.environ.get("RELEASE_WAIT_SECONDS", "1"))

COMMANDS = ("setup", "policy", "publish", "deploy", "rollback", "gc")


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)  # ends with status 2 when they are wrong
    print(f"release {options.command}: not started", file=sys.stderr)
    return NOT_STARTED


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(description="Releases the services of Nukkad Pay.")
    commands = whole.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = commands.add_parser(name)
        command.add_argument("--service", required=True, type=matching(r"[a-z][a-z0-9-]{1,60}"))
        if name in ("deploy", "rollback"):
            command.add_argument("--env", required=True, choices=("staging", "prod"))
    commands.choices["policy"].add_argument("--role", required=True, choices=("publisher", "deployer"))
    commit = matching(r"[0-9a-f]{40}")
    commands.choices["publish"].add_argument("--commit", required=True, type=commit)
    commands.choices["publish"].add_argument("--image", required=True, type=Path)
    which = commands.choices["deploy"].add_mutually_exclusive_group()
    which.add_argument("--commit", type=commit)
    which.add_argument("--digest", type=matching(r"sha256:[0-9a-f]{64}"))
    commands.choices["deploy"].add_argument("--exceptions", type=Path)
    commands.choices["deploy"].add_argument("--scan-timeout", type=seconds, default=300.0, metavar="SECONDS")
    return whole


def matching(pattern: str) -> Callable[[str], str]:
    """A type for an argument that must match the whole of a regular expression."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} does not match {pattern}")
        return text

    return check


def seconds(text: str) -> float:
    """A type for an argument: a number of seconds from 0 on. NaN is no limit at all: nothing is greater."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
