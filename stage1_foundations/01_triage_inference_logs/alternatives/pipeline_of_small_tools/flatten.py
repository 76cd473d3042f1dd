"""JSON lines on stdin → tab-separated rows on stdout: model, request_id, endpoint, error, latency in µs.

On descriptor 3, in the end: lines, bad lines, lines outside the window. Text stays JSON-encoded: no tab gets through.
"""

import json
import math
import os
import sys
from datetime import datetime
from decimal import Decimal

LIMIT = 1 << 20


def when(text):
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError("no offset")
    return moment


def long_lines_cut(stream):
    while line := stream.readline(LIMIT + 2):
        whole = line
        while not line.endswith(b"\n") and (line := stream.readline(LIMIT)):
            pass
        yield whole


def row(line):
    if len(line.removesuffix(b"\n")) > LIMIT:
        raise ValueError("long")
    o = json.loads(str(line, "utf-8"))
    for key in ("model", "endpoint", "request_id"):
        if not (isinstance(o[key], str) and o[key]):
            raise ValueError(key)
    failed = o.get("timeout") is True
    if not failed:
        if (
            isinstance(o["status"], bool)
            or not isinstance(o["status"], int)
            or o["status"] not in range(100, 600)
        ):
            raise ValueError("status")
        failed = o["status"] >= 500
    ((name, value),) = [(k, v) for k, v in o.items() if k in ("latency_s", "latency_ms", "latency_us")]
    if isinstance(value, (bool, str)) or not math.isfinite(value) or value < 0:
        raise ValueError(name)
    micros = Decimal(repr(value)) * {"s": 1_000_000, "ms": 1000, "us": 1}[name[8:]]
    if micros > 3_600_000_000:
        raise ValueError("an hour")
    text = "\t".join(json.dumps(o[key]) for key in ("model", "request_id", "endpoint"))
    return when(o["ts"]), f"{text}\t{int(failed)}\t{micros:f}\n"


def main(since, until):
    lines = bad = outside = 0
    for line in long_lines_cut(sys.stdin.buffer):
        lines += 1
        try:
            at, text = row(line)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            bad += 1
            continue
        if (since and at < since) or (until and at >= until):
            outside += 1
        else:
            sys.stdout.write(text)
    sys.stdout.flush()
    os.write(3, b"%d %d %d" % (lines, bad, outside))


if __name__ == "__main__":
    only_check = sys.argv[1] == "--only-check"
    try:
        since, until = (None if text == "-" else when(text) for text in sys.argv[-2:])
        if since and until and since >= until:
            raise ValueError("--since is not before --until")
    except ValueError as why:
        print(f"flatten: {why}", file=sys.stderr)
        sys.exit(2)
    if not only_check:
        main(since, until)
