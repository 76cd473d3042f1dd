"""The alarms and the bill of `fraud`, from code.

python monitoring.py apply            make the account look as `alarms.py` and settings.json say
python monitoring.py publish FILE     publish the minutes in FILE to CloudWatch
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import boto3

import account
from alarms import all_alarms
from minutes import publish
from money import apply_budget
from settings import Settings


def apply() -> None:
    """Bring the account to what the code says. Safe to run again at any time."""
    settings = Settings.read(Path("settings.json"))
    number = boto3.client("sts").get_caller_identity()["Account"]
    topics = account.apply_topics(settings, number)
    account.apply_alarms(all_alarms(topics, settings.runbooks))
    apply_budget(settings, number, topics["finance"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("apply")
    commands.add_parser("publish").add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "apply":
        apply()
    else:
        with arguments.file.open(encoding="utf-8") as lines:
            publish(json.loads(line) for line in lines if line.strip())


if __name__ == "__main__":
    main()
