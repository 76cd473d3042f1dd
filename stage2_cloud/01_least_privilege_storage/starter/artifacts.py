"""Publishes models to the bucket, and fetches them whole or not at all.

    python artifacts.py publish DIR NAME VERSION
    python artifacts.py latest NAME
    python artifacts.py fetch NAME VERSION|latest TO_DIR
    python artifacts.py rollback NAME

The bucket is named by ARTIFACTS_BUCKET. Nothing is written yet; the command line below is yours to keep.
"""

from __future__ import annotations

import argparse
import sys


class NotPublished(Exception):
    """There is no such version, or nothing to go back to."""


class AlreadyPublished(Exception):
    """The version exists, with another content."""


class Corrupted(Exception):
    """What is stored is not what was published."""


def publish(model_dir: str, name: str, version: str) -> None:
    """Publish the files below `model_dir`, and make this version the latest."""
    raise NotImplementedError("publish")


def latest(name: str) -> str:
    """The version that the pointer names."""
    raise NotImplementedError("latest")


def fetch(name: str, version: str, to_dir: str) -> str:
    """Write a whole version to `to_dir`, or nothing; returns which version it was."""
    raise NotImplementedError("fetch")


def rollback(name: str) -> str:
    """Let the pointer name the version of before; returns it."""
    raise NotImplementedError("rollback")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for function, arguments in (
        (publish, ("model_dir", "name", "version")),
        (latest, ("name",)),
        (fetch, ("name", "version", "to_dir")),
        (rollback, ("name",)),
    ):
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function, takes=arguments)
        for argument in arguments:
            command.add_argument(argument)
    asked = parser.parse_args()
    try:
        said = asked.function(*(getattr(asked, argument) for argument in asked.takes))
    except NotImplementedError:
        print(f"{asked.command}: not started", file=sys.stderr)
        return 75
    except (NotPublished, AlreadyPublished, Corrupted, FileExistsError) as refusal:
        print(f"{type(refusal).__name__}: {refusal}", file=sys.stderr)
        return 1
    print(said or f"{asked.name} {asked.version} is published")
    return 0


if __name__ == "__main__":
    sys.exit(main())
