"""Releases the services of Nukkad Pay: from a built image to what runs in production.

python release.py setup    --service fraud
python release.py policy   --service fraud --role publisher
python release.py publish  --service fraud --commit SHA --image FOLDER
python release.py deploy   --service fraud --env staging --commit SHA
python release.py deploy   --service fraud --env prod
python release.py rollback --service fraud --env prod
python release.py gc       --service fraud
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import permissions
from deployments import ENVIRONMENTS, Deployments, Record
from ecr import Ecr
from oci_image import DIGEST, read_image
from publishing import publish
from releasing import deploy, digest_of_commit, protect, roll_back, set_up
from scan_gate import read_exceptions
from trouble import Trouble

ACCOUNT = "123456789012"
Options = argparse.Namespace


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    try:
        print(json.dumps(COMMANDS[options.command](options)))
    except Trouble as trouble:
        print(f"release {options.command}: {trouble}", file=sys.stderr)
        return trouble.status
    return 0


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(description="Releases the services of Nukkad Pay.")
    commands = whole.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = commands.add_parser(name)
        command.add_argument("--service", required=True, type=matching(r"[a-z][a-z0-9-]{1,60}"))
        if name in ("deploy", "rollback"):
            command.add_argument("--env", required=True, choices=ENVIRONMENTS)
    commands.choices["policy"].add_argument("--role", required=True, choices=sorted(permissions.OF_ROLE))
    commit = matching(r"[0-9a-f]{40}")
    commands.choices["publish"].add_argument("--commit", required=True, type=commit)
    commands.choices["publish"].add_argument("--image", required=True, type=Path)
    which = commands.choices["deploy"].add_mutually_exclusive_group()
    which.add_argument("--commit", type=commit)
    which.add_argument("--digest", type=matching(DIGEST.pattern))
    commands.choices["deploy"].add_argument("--exceptions", type=Path)
    commands.choices["deploy"].add_argument("--scan-timeout", type=seconds, default=300.0, metavar="SECONDS")
    return whole


def matching(pattern: str) -> Callable[[str], str]:
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


def run_setup(options: Options) -> dict[str, Any]:
    return {"service": options.service, "repository": set_up(Ecr(), Deployments(options.service))}


def run_policy(options: Options) -> dict[str, Any]:
    region = os.environ.get("AWS_DEFAULT_REGION", "ap-south-1")
    return permissions.policy(options.role, f"arn:aws:ecr:{region}:{ACCOUNT}:repository/{options.service}")


def run_publish(options: Options) -> dict[str, Any]:
    image = read_image(options.image, options.commit)
    return publish(Ecr(), options.service, options.commit, image)


def run_deploy(options: Options) -> dict[str, Any]:
    exceptions = read_exceptions(options.exceptions)
    ecr = Ecr()
    wanted = options.digest
    if options.commit:
        wanted = digest_of_commit(ecr, options.service, options.commit)
    records = Deployments(options.service)
    record = deploy(ecr, records, options.env, wanted, exceptions, options.scan_timeout)
    return said(options, record)


def run_rollback(options: Options) -> dict[str, Any]:
    return said(options, roll_back(Ecr(), Deployments(options.service), options.env))


def run_gc(options: Options) -> dict[str, Any]:
    return {"service": options.service, "keeps": protect(Ecr(), Deployments(options.service))}


def said(options: Options, record: Record) -> dict[str, Any]:
    current = record.current
    return {
        "service": options.service,
        "env": options.env,
        "digest": current.digest,
        "commit": current.commit,
    }


COMMANDS: dict[str, Callable[[Options], dict[str, Any]]] = {
    "setup": run_setup,
    "policy": run_policy,
    "publish": run_publish,
    "deploy": run_deploy,
    "rollback": run_rollback,
    "gc": run_gc,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
