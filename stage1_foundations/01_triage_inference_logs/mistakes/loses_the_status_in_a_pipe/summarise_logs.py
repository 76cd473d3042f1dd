"""Summarises gzip'd JSON-lines inference logs: one JSON report, and a table for people. Called by triage.sh.

Memory grows with the number of requests (each leaves its latency and its identity), not with the size of the
logs: a line is dropped as soon as it is counted.
"""

from __future__ import annotations

import argparse
import json
import sys
from array import array
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gzip_lines import Damaged, lines_of
from inference_request import BadLine, Request, parse

PERCENTS = (50, 95, 99)
SLOWEST_SHOWN = 3
FAILED_STATUS = 1
DAMAGED_STATUS = 3
USAGE = "bash triage.sh [--since TIME] [--until TIME] LOG_DIR REPORT"


@dataclass
class LogFile:
    lines: int = 0
    bad: int = 0
    state: str = "whole"


@dataclass
class Lines:
    """What became of the lines: the last four sum to `read`."""

    read: int = 0
    counted: int = 0
    bad: int = 0
    outside_window: int = 0
    duplicate: int = 0


@dataclass
class Tally:
    """What is kept of one model's requests. A latency is in milliseconds and takes 8 bytes."""

    errors: int = 0
    seen: set[str] = field(default_factory=set)
    latencies_ms: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))

    def add(self, request: Request) -> bool:
        """Count the request. False if an earlier delivery of it was counted."""
        if request.request_id in self.seen:
            return False
        self.seen.add(request.request_id)
        self.errors += request.is_error
        self.latencies_ms[request.endpoint].append(request.latency_ms)
        return True

    def report(self) -> dict[str, Any]:
        everything = sorted(ms for each in self.latencies_ms.values() for ms in each)
        endpoints = [
            {"endpoint": name, "requests": len(each), "p95_ms": nearest_rank(sorted(each), 95)}
            for name, each in self.latencies_ms.items()
        ]
        endpoints.sort(key=lambda row: (-row["p95_ms"], row["endpoint"]))
        return {
            "requests": len(everything),
            "errors": self.errors,
            "error_rate": round(self.errors / len(everything), 6),
            **{f"p{percent}_ms": nearest_rank(everything, percent) for percent in PERCENTS},
            "slowest_endpoints": endpoints[:SLOWEST_SHOWN],
        }


def nearest_rank(ordered: list[float], percent: int) -> float:
    """The smallest value that at least `percent` per cent of them do not exceed, to three digits.

    Its rank is ceil(percent × N / 100), taken in whole numbers: no rounding to think about.
    """
    rank = -(-percent * len(ordered) // 100)
    return round(ordered[rank - 1], 3)


def summarise(paths: list[Path], since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Read each file once and count what lies in the window. Returns the parts `lines`, `files` and `models`."""
    lines = Lines()
    files: dict[str, LogFile] = {}
    tallies: dict[str, Tally] = defaultdict(Tally)
    for path in sorted(paths):
        file = files[path.name] = LogFile()
        try:
            for line in lines_of(path):
                file.lines += 1
                try:
                    request = parse(line)
                except BadLine:
                    file.bad += 1
                    continue
                if (since and request.at < since) or (until and request.at >= until):
                    lines.outside_window += 1
                elif tallies[request.model].add(request):
                    lines.counted += 1
                else:
                    lines.duplicate += 1
        except Damaged:
            file.state = "damaged"
        except OSError:
            file.state = "unreadable"
    lines.read = sum(file.lines for file in files.values())
    lines.bad = sum(file.bad for file in files.values())
    return {
        "lines": asdict(lines),
        "files": {name: asdict(file) for name, file in files.items()},
        "models": {model: tally.report() for model, tally in sorted(tallies.items())},
    }


def instant(text: str | None) -> datetime | None:
    """The moment that the text means.

    Raises:
        ValueError: no time, or one without an offset: it could be UTC or IST.
    """
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset: write Z or +05:30 behind it")
    return at


def main() -> int:
    parser = argparse.ArgumentParser(prog="triage", usage=USAGE)
    parser.add_argument("--since")
    parser.add_argument("--until")
    parser.add_argument("logs", type=Path, nargs="+")
    given = parser.parse_args()
    try:
        since, until = instant(given.since), instant(given.until)
    except ValueError as error:
        parser.error(str(error))
    if since and until and since >= until:
        parser.error("--since must be earlier than --until")
    window = {"since": given.since, "until": given.until}
    report = {**window, **summarise(given.logs, since, until)}
    json.dump(report, sys.stdout, indent=2)
    return DAMAGED_STATUS if any(file["state"] != "whole" for file in report["files"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
