"""What handing in late costs. An instructor states it; nothing here has an opinion."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
    """`per_day` percent of the marks for each begun day; nothing is left after `most_days`, where that is given."""

    due: datetime
    per_day: float = 0.0
    grace: timedelta = timedelta()
    most_days: int | None = None

    def judge(self, at: datetime | None, marked_late: bool = False) -> Lateness:
        """`marked_late`: the learning system says so, without a time: that is one day."""
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


def moment(text: str) -> datetime:
    """A time with its zone, as ISO 8601.

    Raises:
        LabsError: it is no time, or has no zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise LabsError(f"{text!r} is no time.", "Write it as 2026-11-30T23:59+05:30.") from error
    if at.tzinfo is None:
        whole = text if len(text) > len("2026-11-30") else f"{text}T23:59"
        raise LabsError(f"{text!r} has no time zone.", f"Write it as {whole}+05:30, or {whole}Z for UTC.")
    return at.astimezone(UTC)


def duration(text: str) -> timedelta:
    """`90m`, `2h`, `1d`.

    Raises:
        LabsError: it is none.
    """
    match = DURATION.fullmatch(text.strip())
    if not match:
        raise LabsError(f"{text!r} is no length of time.", "Write minutes, hours or days: 90m, 2h, 1d.")
    return int(match[1]) * UNITS[match[2]]
