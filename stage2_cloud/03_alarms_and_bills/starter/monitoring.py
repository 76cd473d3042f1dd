"""The alarms and the bill of `fraud`, from code.

python monitoring.py apply            make the account look as this code and settings.json say
python monitoring.py publish FILE     publish the minutes in FILE to CloudWatch

Both end with status 75 ("not started") for now. The README says what each must do.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

NOT_STARTED = 75
PREFIX = "nukkad-fraud-"  # of every alarm that this code makes, and may remove


def read_settings() -> dict[str, Any]:
    return json.loads(Path("settings.json").read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What replicas counted: one dict for each replica and minute."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def apply(settings: dict[str, Any]) -> None:
    """Topics, then who is subscribed to them, then alarms, then the budget.

    boto3 finds the account by itself (AWS_ENDPOINT_URL and the others, see `labs env`):

        sns = boto3.client("sns")
        arn = sns.create_topic(Name="oncall")["TopicArn"]      # the same ARN again, if it is there
    """
    sys.exit(NOT_STARTED)


def publish(lines: list[dict[str, Any]]) -> None:
    """One minute of the fleet is what all of its replicas counted in it."""
    sys.exit(NOT_STARTED)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("apply")
    commands.add_parser("publish").add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "apply":
        apply(read_settings())
    else:
        publish(read_lines(arguments.file))


if __name__ == "__main__":
    main()
