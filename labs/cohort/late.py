"""What handing in late costs. An instructor states it; nothing here has an opinion."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from labs.errors import LabsError

DURATION = re.compile(r"(\d+)\s*([mhd])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True)
class Lateness:
    """How late one submission is. `days` counts begun days after the due time and the grace; None: nobody knows."""

    days: int | None
    percent: float

    def of(self, points: float) -> float:
        """What is left of these points, to two decimals."""
        return round(points * (1 - self.percent / 100), 2)


IN_TIME = Lateness(0, 0.0)
UNKNOWN = Lateness(None, 0.0)


@dataclass(frozen=True)
class LatePolicy:
    """`per_day` percent of the marks for each begun day; nothing is left after `most_days`, where that is given.

    Raises:
        LabsError: `per_day` is not from 0 to 100, or `most_days` is below 0.
    """

    due: datetime
    per_day: float = 0.0
    grace: timedelta = timedelta()
    most_days: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.per_day <= 100:
            raise LabsError(
                f"--late-percent {self.per_day:g}: no such part.", "Write a number from 0 to 100."
            )
        if self.most_days is not None and self.most_days < 0:
            raise LabsError(f"--late-days {self.most_days}: no such number.", "Write 0 or more.")

    def judge(self, at: datetime | None, marked_late: bool = False) -> Lateness:
        """
        Args:
            at: when it was handed in: where that is known, it alone decides.
            marked_late: the learning system says so. Without a time that is at least one begun day, and one is taken;
                the grace cannot be applied to a time that nobody knows.
        """
        if at is None:
            return Lateness(1, self._percent(1)) if marked_late else UNKNOWN
        over = at - self.due - self.grace
        if over <= timedelta():
            return IN_TIME
        days = math.ceil((at - self.due) / timedelta(days=1))
        return Lateness(days, self._percent(days))

    def _percent(self, days: int) -> float:
        if self.most_days is not None and days > self.most_days:
            return 100.0
        return min(100.0, self.per_day * days)


def moment(text: str, zone: tzinfo | None = None) -> datetime:
    """A date and time of day, as ISO 8601; without an offset it is read in `zone`.

    Raises:
        LabsError: it is no time, has no time of day, or has neither an offset nor a zone.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise LabsError(f"{text!r} is no time.", "Write it as 2026-11-30T23:59+05:30.") from error
    if ":" not in text:
        raise LabsError(f"{text!r} has no time of day.", f"Write it as {at:%Y-%m-%d}T23:59+05:30.")
    if at.tzinfo is None and zone is None:
        raise LabsError(
            f"{text!r} has no time zone.",
            f"Write it as {text.strip()}+05:30, with Z for UTC, or give --time-zone.",
        )
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def time_zone(name: str) -> tzinfo:
    """The zone of an IANA name, such as Asia/Kolkata.

    Raises:
        LabsError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise LabsError(f"--time-zone {name}: no such zone.", "Write it as Asia/Kolkata, or UTC.") from error


def duration(text: str) -> timedelta:
    """`90m`, `2h`, `1d`.

    Raises:
        LabsError: it is none.
    """
    match = DURATION.fullmatch(text.strip())
    if not match:
        raise LabsError(f"{text!r} is no length of time.", "Write minutes, hours or days: 90m, 2h, 1d.")
    try:
        return int(match[1]) * UNITS[match[2]]
    except OverflowError as error:
        raise LabsError(f"{text!r} is too long.", "Write minutes, hours or days: 90m, 2h, 1d.") from error
