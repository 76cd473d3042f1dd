"""The data-generating process: the day's transactions as they really were, and how likely each is to be
fraud.

`docs/world.md` gives every distribution and why. All numbers that shape the process are constants at the top
of this module, `population.py`, `calendar.py` and `fraud.py`.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from labs.world.calendar import CalendarDay
from labs.world.draws import (
    EXPONENTIAL_MEAN,
    LEVELS,
    Bits,
    Columns,
    Ints,
    Purpose,
    choice_table,
    exponential_table,
    lognormal_table,
    normal_table,
    scatter,
    share,
    sixteen_bits,
    stream,
)
from labs.world.population import (
    CATEGORIES,
    FIRST_MERCHANT_ID,
    FIRST_PAYER_ID,
    MERCHANTS_PER_CATEGORY,
    PAYERS,
    population,
)

MINUTES = 24 * 60
VOLUME_SIGMA = 0.02
AMOUNT_LEVEL_SIGMA = 0.01  # the whole day a little dearer or cheaper
AMOUNT_SIGMA = 0.75
LOWEST_PAISE, HIGHEST_PAISE = 100, 10_000_000  # one rupee; the UPI limit of one lakh rupees
MIX_WEEKDAY = (0.24, 0.20, 0.10, 0.10, 0.13, 0.04, 0.05, 0.14)
MIX_WEEKEND = (0.22, 0.24, 0.07, 0.07, 0.18, 0.06, 0.06, 0.10)
MIX_FESTIVAL = (0.24, 0.20, 0.07, 0.06, 0.22, 0.05, 0.04, 0.12)
CATEGORY_LOG_PRICE = np.array([0.0, -0.3, -0.6, 0.6, 0.7, 1.3, 0.1, 0.9])
CHANNEL_BY_CATEGORY = (
    (0.80, 0.15, 0.04, 0.01),
    (0.62, 0.34, 0.03, 0.01),
    (0.70, 0.25, 0.03, 0.02),
    (0.15, 0.45, 0.15, 0.25),
    (0.40, 0.50, 0.07, 0.03),
    (0.15, 0.72, 0.10, 0.03),
    (0.04, 0.70, 0.16, 0.10),
    (0.34, 0.46, 0.20, 0.00),
)
NEW_MERCHANT_SHARE = 0.22
FRESH_DEVICE_SHARE = 0.012  # paid from a phone first seen within days


def clean_columns(seed: int, today: CalendarDay) -> Columns:
    """Every column of one day before any incident, in order of event_time, plus the hidden payer `slot`.

    Codes stand for channel and merchant_category; event_time is whole microseconds since 1970 in UTC.
    """
    rows, amount_level = _size_of(seed, today)
    people = population(seed)
    bits = sixteen_bits(stream(seed, today.day, Purpose.ROWS), 15, rows)
    event_time, minute = _event_times(bits[0], today.start, _minute_weights(today.is_weekend))
    # The product of two uniforms is skewed to small numbers: few payers and merchants do much of the trade.
    slot = (bits[1].astype(np.int64) * bits[2]) >> 15
    category = choice_table(_mix(today))[bits[3]]
    merchant = (bits[4].astype(np.int64) * bits[5]) >> 22
    merchant += category.astype(np.int64) * MERCHANTS_PER_CATEGORY
    channel = _channel_table()[(category.astype(np.int64) << 16) | bits[6]]
    account_age, generation = people.account_age(slot, today.day)
    mean_paise = people.nightly_mean_paise(slot, today.day, seed)
    return {
        "transaction_id": scatter(np.arange(rows, dtype=np.int64) + (today.day << 28), seed),
        "event_time": event_time,
        "payer_id": FIRST_PAYER_ID + generation * PAYERS + slot,
        "merchant_id": FIRST_MERCHANT_ID + merchant,
        "amount_paise": _amounts(seed, slot, merchant, category, channel, bits[7], bits[8], amount_level),
        "channel": channel,
        "merchant_category": category,
        "hour_ist": (minute // 60).astype(np.int8),
        "device_age_days": _device_ages(people.device_age(slot, today.day), minute, bits[9], bits[10]),
        "payer_account_age_days": account_age.astype(np.float64),
        "payer_txn_count_24h": (people.daily_count[slot] * lognormal_table(1.0, 0.6)[bits[11]]).astype(
            np.int32
        ),
        "payer_mean_amount_30d_paise": mean_paise,
        "payer_merchant_is_new": share(bits[12], NEW_MERCHANT_SHARE).astype(np.int8),
        "distance_km": np.minimum(lognormal_table(2.5, 1.5)[bits[13]], 3_000.0),
        "feature_age_minutes": lognormal_table(4.0, 0.6)[bits[14]],
        "slot": slot,
    }


def _size_of(seed: int, today: CalendarDay) -> tuple[int, float]:
    volume, level = sixteen_bits(stream(seed, today.day, Purpose.VOLUME), 2, 1)
    normal = normal_table()
    rows = round(today.expected_volume * (1 + VOLUME_SIGMA * float(normal[volume[0]])))
    return max(rows, 1), today.amount_level * (1 + AMOUNT_LEVEL_SIGMA * float(normal[level[0]]))


def _event_times(bits: Bits, start: datetime, weights: list[int]) -> tuple[Ints, Ints]:
    """Sorted arrival times of an inhomogeneous Poisson process, given how many came, and each one's minute of
    the day.

    Sums of exponential gaps are uniform order statistics (Devroye, ch. V.3), so nothing is sorted. Then each
    minute takes its share of the line. All in whole numbers, hence the same to the microsecond everywhere.
    """
    position = np.cumsum(exponential_table()[bits])
    total = int(position[-1]) + EXPONENTIAL_MEAN  # the gap after the last one
    cumulative = [0]
    for weight in weights:
        cumulative.append(cumulative[-1] + weight)
    edges = np.array([edge * total // cumulative[-1] for edge in cumulative], dtype=np.int64)
    counts = np.diff(np.searchsorted(position, edges))
    minute = np.repeat(np.arange(MINUTES), counts)
    within = (position - edges[minute]) * 60_000_000 // np.diff(edges)[minute]
    first = int(np.datetime64(start, "us").astype(np.int64))
    return first + minute * 60_000_000 + within, minute


@lru_cache(maxsize=2)
def _minute_weights(is_weekend: bool) -> list[int]:
    """Relative traffic of each minute in India: a small lunch peak, a large evening one, almost nothing at 3
    am."""
    hour = np.arange(MINUTES) / 60
    evening, late = (20.0, 0.22) if is_weekend else (19.5, 0.12)
    peaks = ((9.5, 2.0, 0.6), (13.0, 1.8, 0.8), (evening, 2.6, 1.5), (23.5, 1.5, late))
    shape = np.full(MINUTES, 0.05)
    for centre, width, height in peaks:
        away = np.minimum(np.abs(hour - centre), 24 - np.abs(hour - centre))
        shape += height * np.exp(-0.5 * (away / width) ** 2)
    return [int(weight) for weight in np.rint(shape * 100_000)]


def _mix(today: CalendarDay) -> tuple[float, ...]:
    if today.festival is not None:
        return MIX_FESTIVAL
    return MIX_WEEKEND if today.is_weekend else MIX_WEEKDAY


@lru_cache(maxsize=1)
def _channel_table() -> npt.NDArray[np.int8]:
    assert len(CHANNEL_BY_CATEGORY) == len(CATEGORIES)
    return np.concatenate([choice_table(weights) for weights in CHANNEL_BY_CATEGORY])


def _amounts(
    seed: int, slot: Ints, merchant: Ints, category: npt.NDArray[np.int8], channel: npt.NDArray[np.int8],
    noise: Bits, rounding: Bits, level: float,
) -> Ints:  # fmt: skip
    people = population(seed)
    price = people.merchant_log_price + np.repeat(CATEGORY_LOG_PRICE, MERCHANTS_PER_CATEGORY) + np.log(level)
    amount = np.exp(people.log_mean_paise[slot] + price[merchant] + AMOUNT_SIGMA * normal_table()[noise])
    paise = np.clip(amount, LOWEST_PAISE, HIGHEST_PAISE).astype(np.int64)
    # People type whole rupees at a QR code; app checkouts carry paise more often.
    whole = rounding < np.where(channel == 0, round(0.92 * LEVELS), round(0.55 * LEVELS))
    return np.asarray(np.where(whole, paise // 100 * 100, paise), dtype=np.int64)


def _device_ages(days: Ints, minute: Ints, fresh: Bits, age: Bits) -> npt.NDArray[np.float64]:
    usual = days + minute / MINUTES
    newly = exponential_table()[age] * (2.5 / EXPONENTIAL_MEAN)  # days; mean 2.5
    return np.where(share(fresh, FRESH_DEVICE_SHARE), np.minimum(newly, usual), usual)
