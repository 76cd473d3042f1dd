"""Plays a month of Nukkad Pay to your monitor, with or without an incident, and prints what it says.

python play_month.py --days 30
python play_month.py --incident unit_switch --feature amount_paise
python play_month.py --start 2026-10-01 --days 16 --incident unit_switch
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

import monitor
import report
from labs.world import CalendarDay, Incident, IncidentKind, World

REFERENCE_DAYS = 35
OUT_OF_SCOPE = {IncidentKind.COLD_CACHE, IncidentKind.SLOW_DEPENDENCY}  # of the service, not of its data


def plain(today: CalendarDay) -> dict[str, object]:
    """A day of the calendar as `begin` and `observe` get it."""
    return {
        "date": today.date.isoformat(),
        "weekday": today.weekday,
        "is_weekend": today.is_weekend,
        "is_salary_day": today.is_salary_day,
        "festival": today.festival,
    }


def planned(options: argparse.Namespace) -> tuple[Incident, ...]:
    """The incident that the options ask for, if any: from 9 in the morning in India, `--hours` long."""
    if options.incident is None:
        return ()
    start = World(first_day=options.start).calendar(REFERENCE_DAYS + options.on).start + timedelta(hours=9)
    end = start + timedelta(hours=options.hours)
    return (Incident(options.incident, start, end, options.severity, feature=options.feature),)


def play(options: argparse.Namespace) -> None:
    """Begin with five healthy weeks, then show the monitor one day after the other."""
    world = World(options.seed, options.start, options.transactions, planned(options))
    healthy = range(REFERENCE_DAYS)
    reference = pd.concat([world.served(day) for day in healthy], ignore_index=True)
    known = world.labels_known(world.calendar(REFERENCE_DAYS).start)
    monitor.begin(reference, [plain(world.calendar(day)) for day in healthy], known)
    for day in range(REFERENCE_DAYS, REFERENCE_DAYS + options.days):
        today = world.calendar(day)
        frame = world.served(day)
        for alert in monitor.observe(frame, plain(today), world.labels_arriving(today.start, today.end)):
            print(
                f"{today.date} {today.weekday:9}  {alert['severity']:6}  {alert['cause']}: {alert['feature']}"
            )
            print(f"    {alert['route']}: {alert['decision']}. {alert['message']}")
        if options.report and day == REFERENCE_DAYS + options.on:
            features = [name for name in monitor.FEATURES if name in frame]
            verdict = report.report(reference[features], frame[features], options.report)
            print(f"{today.date} {today.weekday:9}  {options.report}/report.html: ok is {verdict['ok']}")
    print(f"{options.days} days played.")


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--start", type=date.fromisoformat, default=date(2026, 4, 1), help="first day of the healthy weeks"
    )
    parser.add_argument("--days", type=int, default=12, help="days to play after them")
    parser.add_argument("--incident", choices=[kind for kind in IncidentKind if kind not in OUT_OF_SCOPE])
    parser.add_argument("--feature", help="the column it strikes, for the kinds that strike one")
    parser.add_argument("--on", type=int, default=4, help="the day on which it begins, counted from 0")
    parser.add_argument("--hours", type=float, default=40, help="how long it lasts")
    parser.add_argument("--severity", type=float, default=0.8, help="above 0, at most 1")
    parser.add_argument("--report", metavar="FOLDER", help="write a report of day --on there")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--transactions", type=int, default=3_000, help="on an ordinary day")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    play(parsed())
