"""The nightly `offers` pipeline of Nukkad Pay.

    python pipeline.py run --date 2026-11-08 --landing DIR --lake DIR
    python pipeline.py backfill --start 2026-11-01 --end 2026-11-14 --landing DIR --lake DIR
    python pipeline.py score --lake DIR --input FILE.parquet --output FILE.parquet

Nothing is written yet: every command exits with 75 ("not started"). The README says what each must do.

A flow and a task look like this in Prefect:

    @task
    def ingest(day, landing): ...

    @flow(name="offers")
    def offers(day: str, landing: str, lake: str):
        delivery = ingest.with_options(retries=2, retry_delay_seconds=[1, 2])(day, landing)

    offers("2026-11-08", "landing", "lake")     # PREFECT_API_URL says where it is recorded
"""

import argparse
import json
import sys
import tomllib
from datetime import date, timedelta
from pathlib import Path

NOT_STARTED = 75


def settings() -> dict:
    """What `pipeline.toml` says, by table."""
    return tomllib.loads(Path(__file__).with_name("pipeline.toml").read_text(encoding="utf-8"))


def report(day: date, status: int, reason: str) -> None:
    """The line that the contract asks for. Everything else belongs on standard error."""
    print(json.dumps({"date": str(day), "status": status, "reason": reason}), flush=True)


def run_dates(days: list[date], landing: Path, lake: Path) -> int:
    raise NotImplementedError


def score(lake: Path, source: Path, target: Path) -> int:
    raise NotImplementedError


def every_day(start: date, end: date) -> list[date]:
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run, backfill, scoring = (commands.add_parser(name) for name in ("run", "backfill", "score"))
    run.add_argument("--date", type=date.fromisoformat, required=True)
    backfill.add_argument("--start", type=date.fromisoformat)
    backfill.add_argument("--end", type=date.fromisoformat, help="the last date, included")
    backfill.add_argument("--dates", type=date.fromisoformat, nargs="+", help="instead of --start and --end")
    for command in (run, backfill):
        command.add_argument("--landing", type=Path, required=True)
    for command in (run, backfill, scoring):
        command.add_argument("--lake", type=Path, required=True)
    scoring.add_argument("--input", type=Path, required=True)
    scoring.add_argument("--output", type=Path, required=True)
    return parser


def main() -> int:
    asked = arguments().parse_args()
    try:
        if asked.command == "score":
            return score(asked.lake, asked.input, asked.output)
        if asked.command == "run":
            return run_dates([asked.date], asked.landing, asked.lake)
        return run_dates(asked.dates or every_day(asked.start, asked.end), asked.landing, asked.lake)
    except NotImplementedError:
        return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main())
