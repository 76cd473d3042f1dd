"""The columns of an impression: their types, which may be null, and the range that each must keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

IST = ZoneInfo("Asia/Kolkata")
LABEL = "redeemed"
CATEGORIES = ("groceries", "food", "transport", "utilities", "shopping", "travel", "gaming", "transfer")


@dataclass(frozen=True)
class Column:
    """`least` and `most` are inclusive, in the column's own unit; None: any value. `choices`: no other text."""

    type: pa.DataType
    least: float | None = None
    most: float | None = None
    nullable: bool = False
    choices: tuple[str, ...] = ()


COLUMNS = {
    "impression_id": Column(pa.int64(), 0),
    "shown_at": Column(pa.timestamp("us")),  # its range is the day: see `bounds`
    "payer_id": Column(pa.int64(), 0),
    "merchant_id": Column(pa.int64(), 0),
    "merchant_category": Column(pa.string(), choices=CATEGORIES),
    "hour_ist": Column(pa.int8(), 0, 23),
    "discount_percent": Column(pa.int8(), 1, 100),
    "min_amount_paise": Column(pa.int64(), 100, 10_000_000),
    "payer_mean_amount_30d_paise": Column(pa.float64(), 1, 10_000_000, nullable=True),
    "payer_txn_count_30d": Column(pa.int32(), 0, 100_000),
    "payer_account_age_days": Column(pa.float64(), 0, 36_500, nullable=True),
    "payer_merchant_txn_count_90d": Column(pa.int32(), 0, 100_000),
    "payer_offers_shown_7d": Column(pa.int32(), 0, 100_000),
    "distance_km": Column(pa.float64(), 0, 3_000, nullable=True),
    "cashback_paise": Column(pa.int64(), 0),
    LABEL: Column(pa.int8(), 0, 1),
}
SCHEMA = pa.schema([(name, column.type) for name, column in COLUMNS.items()])
KNOWN_WHEN_SHOWN = [name for name in COLUMNS if name != LABEL]


def bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of `day` in India and the first after it, as UTC without a zone."""
    start = datetime.combine(day, time(), IST)
    return tuple(  # type: ignore[return-value]
        moment.astimezone(UTC).replace(tzinfo=None) for moment in (start, start + timedelta(days=1))
    )
