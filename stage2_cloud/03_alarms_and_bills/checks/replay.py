"""Replays a month to the alarms of the account that AWS_ENDPOINT_URL leads to. For practice: other seeds, other months.

python replay.py quiet|bad [--seed N]      what happened, and who was told
python replay.py minutes                   lines for `monitoring.py publish`
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta

import boto3
import numpy as np

from aws_account import PREFIX
from counting import as_file, draw_lines
from labs.services.aws.alarms import NotEvaluated
from months import bad_month, quiet_month
from paging import in_words, replay
from streams import Streams

MONTHS = {"quiet": quiet_month, "bad": bad_month}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*MONTHS, "minutes"])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng([arguments.seed, list(MONTHS).index("bad") if arguments.what == "bad" else 0])
    if arguments.what == "minutes":
        first = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=8)
        sys.stdout.write(as_file(draw_lines(rng, first)))
        return
    if "AWS_ENDPOINT_URL" not in os.environ:
        sys.exit("No AWS_ENDPOINT_URL: `labs up aws`, then `source <(labs env)`.")
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms")
    found = list(pages.paginate(AlarmNamePrefix=PREFIX, AlarmTypes=["MetricAlarm", "CompositeAlarm"]))
    alarms = [one for page in found for one in page["MetricAlarms"]]
    composites = [one for page in found for one in page["CompositeAlarms"]]
    streams = Streams(MONTHS[arguments.what](rng), arguments.seed)
    month = streams.month
    try:
        seen = replay(alarms, composites, streams)
    except NotEvaluated as error:
        sys.exit(f"cannot be judged: {error}")
    lines = [(event.start, f"{in_words(month, event)} {event.what}".rstrip()) for event in month.events]
    lines += [
        (one.minute, f"{month.when(one.minute)}   {one.state:5} to {one.topic}: {one.alarm}")
        for one in seen.messages
        if one.is_alert or one.minute > month.judged_from
    ]
    for _, words in sorted(lines):
        print(words)
    alerts = sum(one.is_alert for one in seen.messages)
    print(
        f"{arguments.what} month of seed {arguments.seed}: {len(month.events)} events, {alerts} alerts (simulated)"
    )


if __name__ == "__main__":
    main()
