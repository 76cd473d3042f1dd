"""What makes one day differ from the next for good reasons: weekday, salary day, festival, growth.

A day is a day in India: midnight to midnight IST (UTC+5:30), so it starts at 18:30 UTC of the date before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

IST_OFFSET = timedelta(hours=5, minutes=30)  # India has one zone and no daylight saving
DAYS_PER_MONTH = 30.44
VOLUME_GROWTH_PER_MONTH = 0.03
AMOUNT_GROWTH_PER_MONTH = 0.004  # prices
VOLUME_BY_WEEKDAY = (0.98, 0.97, 0.98, 1.00, 1.05, 1.08, 0.94)  # Monday first; the mean is 1
SALARY_VOLUME, SALARY_AMOUNT = 1.30, 1.15
FIXED_HOLIDAYS = ((1, 26), (8, 15), (10, 2))  # Republic Day, Independence Day, Gandhi Jayanti: nobody is paid

# Dates as in the PyPI package `holidays` 0.109 (India, all categories); its dates of Eid al-Fitr from 2027 on
# are estimates, because the day depends on the moon being seen. Holi is the day after Holika Dahan.
FESTIVALS: dict[str, tuple[str, ...]] = {
    "Makar Sankranti": ("2025-01-14", "2026-01-14", "2027-01-15", "2028-01-15", "2029-01-14", "2030-01-14"),
    "Holi": ("2025-03-14", "2026-03-04", "2027-03-22", "2028-03-11", "2029-03-01", "2030-03-20"),
    "Eid al-Fitr": ("2025-03-31", "2026-03-21", "2027-03-10", "2028-02-27", "2029-02-15", "2030-02-05"),
    "Raksha Bandhan": ("2025-08-09", "2026-08-28", "2027-08-17", "2028-08-05", "2029-08-23", "2030-08-13"),
    "Ganesh Chaturthi": ("2025-08-27", "2026-09-14", "2027-09-04", "2028-08-23", "2029-09-11", "2030-09-01"),
    "Dussehra": ("2025-10-02", "2026-10-20", "2027-10-09", "2028-09-27", "2029-10-16", "2030-10-06"),
    "Diwali": ("2025-10-20", "2026-11-08", "2027-10-29", "2028-10-17", "2029-11-05", "2030-10-26"),
}
# Festival -> (extra volume, extra amount) for each day around it, by days from the festival.
_EVE_AND_DAY = {-1: (0.15, 0.08), 0: (0.22, 0.10)}
SURGES: dict[str, dict[int, tuple[float, float]]] = {
    "Diwali": {
        -5: (0.12, 0.08), -4: (0.20, 0.12), -3: (0.30, 0.18), -2: (0.55, 0.30),  # -2 is Dhanteras: gold
        -1: (0.50, 0.24), 0: (0.60, 0.25), 1: (0.25, 0.12), 2: (0.15, 0.08),
    },
    "Dussehra": {-2: (0.10, 0.05), -1: (0.20, 0.10), 0: (0.30, 0.14)},
    "Holi": _EVE_AND_DAY,
    "Eid al-Fitr": _EVE_AND_DAY,
    "Raksha Bandhan": _EVE_AND_DAY,
    "Ganesh Chaturthi": _EVE_AND_DAY,
    "Makar Sankranti": {0: (0.10, 0.04)},
}  # fmt: skip


@dataclass(frozen=True)
class CalendarDay:
    """One day in India, and what is special about it.

    `day` counts from the world's first day. `festival` names the festival whose surge covers this day, which
    for Diwali starts five days early. `expected_volume` is the number of transactions to expect; the real
    number scatters round it by 2 %. `amount_level` multiplies amounts. Nothing here is an incident.
    """

    date: date
    day: int
    weekday: str
    is_weekend: bool
    is_salary_day: bool
    festival: str | None
    expected_volume: float
    amount_level: float = 1.0

    @property
    def start(self) -> datetime:
        """Midnight in India, as naive UTC."""
        return ist_midnight(self.date)

    @property
    def end(self) -> datetime:
        """The next midnight in India, as naive UTC."""
        return ist_midnight(self.date + timedelta(days=1))


def ist_midnight(day: date) -> datetime:
    """When `day` begins in India, as naive UTC."""
    return datetime.combine(day, time()) - IST_OFFSET


def ist_date(moment: datetime) -> date:
    """The date in India at `moment` (naive UTC, or aware)."""
    naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return (naive + IST_OFFSET).date()


def is_salary_day(day: date) -> bool:
    """Whether `day` is the first or the last working day of its month."""
    if not _is_working(day):
        return False
    before = (date(day.year, day.month, number) for number in range(1, day.day))
    return not any(map(_is_working, before)) or not any(map(_is_working, _rest_of_month(day)))


def calendar_day(first_day: date, day: int, transactions_per_day: float) -> CalendarDay:
    """The calendar entry of day `day`, counted from `first_day`."""
    when = first_day + timedelta(days=day)
    festival, extra_volume, extra_amount = _festival_on(when)
    salary = is_salary_day(when)
    months = day / DAYS_PER_MONTH
    volume = (1 + VOLUME_GROWTH_PER_MONTH) ** months * VOLUME_BY_WEEKDAY[when.weekday()] * (1 + extra_volume)
    amount = (1 + AMOUNT_GROWTH_PER_MONTH) ** months * (1 + extra_amount)
    return CalendarDay(
        date=when,
        day=day,
        weekday=when.strftime("%A"),
        is_weekend=when.weekday() >= 5,
        is_salary_day=salary,
        festival=festival,
        expected_volume=transactions_per_day * volume * (SALARY_VOLUME if salary else 1.0),
        amount_level=amount * (SALARY_AMOUNT if salary else 1.0),
    )


def _is_working(day: date) -> bool:
    return day.weekday() < 5 and (day.month, day.day) not in FIXED_HOLIDAYS


def _rest_of_month(day: date) -> Iterator[date]:
    after = day + timedelta(days=1)
    while after.month == day.month:
        yield after
        after += timedelta(days=1)


@lru_cache(maxsize=1)
def _surges() -> dict[date, tuple[str, float, float]]:
    by_date: dict[date, tuple[str, float, float]] = {}
    for name, dates in FESTIVALS.items():
        for offset, (volume, amount) in SURGES[name].items():
            for festival in map(date.fromisoformat, dates):
                by_date[festival + timedelta(days=offset)] = (name, volume, amount)
    return by_date


def _festival_on(day: date) -> tuple[str | None, float, float]:
    return _surges().get(day, (None, 0.0, 0.0))
