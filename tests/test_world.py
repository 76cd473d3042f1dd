"""The world itself: what it promises to every lab."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labs.world import World, plan_incidents
from labs.world.calendar import FESTIVALS, is_salary_day

ROOT = Path(__file__).resolve().parents[1]
WORLD = World(seed=7)
DTYPES = {
    "transaction_id": "int64",
    "event_time": "datetime64[us]",
    "payer_id": "int64",
    "merchant_id": "int64",
    "amount_paise": "int64",
    "channel": "category",
    "merchant_category": "category",
    "hour_ist": "int8",
    "device_age_days": "float64",
    "payer_account_age_days": "float64",
    "payer_txn_count_24h": "int32",
    "payer_mean_amount_30d_paise": "float64",
    "payer_merchant_is_new": "int8",
    "distance_km": "float64",
    "feature_age_minutes": "float64",
}
READINGS = ("transactions", "served", "labels", "truth", "telemetry")


def the_bytes(frame: pd.DataFrame) -> bytes:
    """Everything in the frame, with its types."""
    parts = [str(frame.dtypes.to_dict()).encode()]
    for name in frame:
        column = frame[name]
        codes = column.cat.codes if column.dtype == "category" else column
        parts.append(codes.to_numpy().tobytes())
    return b"".join(parts)


def test_columns_and_types_are_the_documented_ones() -> None:
    frame = WORLD.transactions(3)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
    assert not frame.isna().any().any()
    assert frame["event_time"].is_monotonic_increasing
    assert frame["amount_paise"].between(100, 10_000_000).all()
    assert list(WORLD.served(3))[: len(DTYPES)] == list(DTYPES)
    assert list(WORLD.labels(3)) == ["transaction_id", "is_fraud", "labelled_at"]
    assert list(WORLD.truth(3)) == ["transaction_id", "fraud_probability", "is_fraud"]


@pytest.mark.parametrize("reading", READINGS)
def test_the_same_seed_gives_the_same_bytes_in_any_order(reading: str) -> None:
    incidents = plan_incidents(3, date(2026, 1, 1), 20)
    first = {day: the_bytes(getattr(World(seed=3, incidents=incidents), reading)(day)) for day in range(6)}
    again = World(seed=3, incidents=incidents)
    for day in (5, 0, 3):
        assert the_bytes(getattr(again, reading)(day)) == first[day]
    assert the_bytes(getattr(World(seed=4), reading)(0)) != the_bytes(getattr(World(seed=3), reading)(0))


def test_a_fresh_process_gives_the_same_bytes() -> None:
    code = (
        "import sys; sys.path[:0] = ['.', 'tests']; import hashlib; from test_world import WORLD, the_bytes\n"
        "print(hashlib.sha256(the_bytes(WORLD.served(11))).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_a_day_may_be_a_number_or_a_date_and_lasts_from_midnight_to_midnight_in_india() -> None:
    frame = WORLD.transactions(date(2026, 1, 4))
    pd.testing.assert_frame_equal(frame, WORLD.transactions(3))
    today = WORLD.calendar(3)
    assert (today.start, today.end) == (datetime(2026, 1, 3, 18, 30), datetime(2026, 1, 4, 18, 30))
    assert frame["event_time"].between(today.start, today.end, inclusive="left").all()
    in_india = frame["event_time"] + pd.Timedelta(hours=5, minutes=30)
    assert (in_india.dt.hour == frame["hour_ist"]).all()


def test_ids_are_unique_and_say_nothing_of_label_or_order() -> None:
    ids, fraud, since = [], [], []
    for day in range(10):
        labels = WORLD.labels(day)
        ids.append(labels["transaction_id"].to_numpy())
        fraud.append(labels["is_fraud"].to_numpy())
        since.append(np.linspace(0, 1, len(labels)))
    every = np.concatenate(ids)
    assert np.unique(every).size == every.size
    assert every.min() >= 0 and every.max() < 2**53
    noise = 4 / np.sqrt(every.size)
    assert abs(np.corrcoef(every, np.concatenate(since))[0, 1]) < noise
    assert abs(np.corrcoef(every, np.concatenate(fraud))[0, 1]) < noise
    assert abs(np.corrcoef(every % 2, np.concatenate(fraud))[0, 1]) < noise


def test_a_payer_is_the_same_person_from_day_to_day() -> None:
    today = WORLD.transactions(4).drop_duplicates("payer_id").set_index("payer_id")
    later = WORLD.transactions(9).drop_duplicates("payer_id").set_index("payer_id")
    both = today.join(later, rsuffix="_later", how="inner")
    assert len(both) > 500
    assert (both["payer_account_age_days_later"] - both["payer_account_age_days"] == 5).all()
    moved = both["payer_mean_amount_30d_paise_later"] / both["payer_mean_amount_30d_paise"]
    assert (moved != 1).mean() > 0.99  # the nightly job rewrites it every night
    assert moved.between(0.6, 1.6).all()


def test_benign_days_differ_and_are_no_incident() -> None:
    world = World(first_day=date(2026, 10, 1))
    quiet = world.transactions(date(2026, 10, 7))
    weekend = world.transactions(date(2026, 10, 10))
    salary = world.transactions(date(2026, 10, 30))
    diwali = world.transactions(date(2026, 11, 8))
    assert len(salary) > 1.2 * len(quiet)
    assert len(diwali) > 1.3 * len(quiet)
    assert salary["amount_paise"].median() > 1.05 * quiet["amount_paise"].median()
    assert diwali["amount_paise"].median() > 1.1 * quiet["amount_paise"].median()
    assert (weekend["merchant_category"] == "shopping").mean() > (
        quiet["merchant_category"] == "shopping"
    ).mean()
    hours = quiet["hour_ist"].value_counts()
    assert hours.idxmax() in (19, 20) and hours[3] < 0.1 * hours[20]
    assert world.incidents == ()
    # The service copes: its p95 and its errors stay where they were.
    calm, busy = world.served(date(2026, 10, 7)), world.served(date(2026, 11, 8))
    assert busy["latency_ms"].quantile(0.95) == pytest.approx(calm["latency_ms"].quantile(0.95), rel=0.05)


def test_calendar() -> None:
    world = World(first_day=date(2026, 10, 1), transactions_per_day=1_000)
    assert world.calendar(date(2026, 11, 8)).festival == "Diwali"
    assert world.calendar(date(2026, 11, 6)).festival == "Diwali"  # Dhanteras, in the same surge
    assert world.calendar(date(2026, 11, 20)).festival is None
    today = world.calendar(9)
    assert (today.date, today.day, today.weekday, today.is_weekend) == (
        date(2026, 10, 10),
        9,
        "Saturday",
        True,
    )
    year = World(transactions_per_day=1_000)
    now, later = year.calendar(date(2026, 1, 6)), year.calendar(date(2026, 7, 7))  # two plain Tuesdays
    assert later.expected_volume / now.expected_volume == pytest.approx(1.03 ** (182 / 30.44))
    assert all(
        len(dates) == 6 and {d[:4] for d in dates} == set(map(str, range(2025, 2031)))
        for dates in FESTIVALS.values()
    )


@pytest.mark.parametrize(
    ("day", "salary"),
    [
        (date(2026, 1, 1), True),
        (date(2026, 1, 30), True),  # the 31st is a Saturday
        (date(2026, 1, 31), False),
        (date(2026, 2, 2), True),  # the 1st is a Sunday
        (date(2026, 10, 2), False),  # Gandhi Jayanti
        (date(2026, 10, 15), False),
    ],
)
def test_salary_days_are_the_first_and_last_working_days(day: date, salary: bool) -> None:
    assert is_salary_day(day) is salary


def test_volume_scatters_round_what_the_calendar_expects() -> None:
    ratio = [len(WORLD.labels(day)) / WORLD.calendar(day).expected_volume for day in range(60)]
    assert np.mean(ratio) == pytest.approx(1, abs=0.01)
    assert 0.01 < np.std(ratio) < 0.03


def test_arrivals_are_poisson_within_the_minute() -> None:
    world = World(transactions_per_day=200_000)
    frame = world.transactions(0)
    evening = frame.loc[frame["hour_ist"] == 14, "event_time"].astype("int64").to_numpy()
    gaps = np.diff(evening)
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.03)  # exponential gaps


def test_streaming_keeps_memory_flat() -> None:
    def peak(days: int) -> int:
        tracemalloc.start()
        for _ in WORLD.stream(days=days):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)  # tables and people are made once
    few, many = peak(3), peak(15)
    assert many < 1.3 * few


def test_telemetry_counts_the_served_requests() -> None:
    served, minutes = WORLD.served(2), WORLD.telemetry(2)
    assert len(minutes) == 1_440
    assert minutes["minute"].iloc[0] == pd.Timestamp(WORLD.calendar(2).start)
    by_minute = served.groupby(served["event_time"].dt.floor("min"))["latency_ms"]
    counts = by_minute.size().reindex(minutes["minute"], fill_value=0)
    assert (counts.to_numpy() == minutes["requests"]).all()
    shown = minutes.set_index("minute")
    for minute, latencies in list(by_minute)[::97]:
        for percent in (50, 95, 99):
            nearest_rank = -(-percent * len(latencies) // 100)
            assert shown.loc[minute, f"p{percent}_ms"] == sorted(latencies)[nearest_rank - 1]
    assert (minutes["errors"] <= minutes["requests"]).all()
    assert minutes["replicas"].min() >= 1
    assert minutes["p99_ms"].isna().equals(minutes["requests"] == 0)


def test_stream_gives_days_in_order() -> None:
    days = list(World(transactions_per_day=50).stream(first=date(2026, 1, 3), days=3))
    assert [day for day, _ in days] == [2, 3, 4]
    pd.testing.assert_frame_equal(days[1][1], World(transactions_per_day=50).transactions(3))


def test_a_tiny_world_works() -> None:
    world = World(transactions_per_day=1)
    assert len(world.transactions(0)) >= 1
    assert world.telemetry(0)["requests"].sum() == len(world.served(0))
    assert len(world.labels_known(datetime(2025, 1, 1))) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": -1}, "seed is -1: give a whole number"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": True}, "seed is True"),
        ({"first_day": "2026-01-01"}, "first_day is '2026-01-01': give a date"),
        ({"first_day": datetime(2026, 1, 1)}, "first_day is"),
        ({"transactions_per_day": 0}, "transactions_per_day is 0: give a whole number from 1 to 5,000,000"),
        ({"transactions_per_day": 6_000_000}, "transactions_per_day is 6000000"),
        ({"incidents": ("bad_deploy",)}, "incidents holds 'bad_deploy': give Incident objects"),
    ],
)
def test_an_impossible_world_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        World(**fields)


@pytest.mark.parametrize("day", [-1, date(2025, 12, 31), 10**6, datetime(2026, 1, 2)])
def test_a_day_outside_the_world_is_refused(day: Any) -> None:
    with pytest.raises(ValueError, match="day is"):
        WORLD.transactions(day)


def test_it_needs_numpy_and_pandas_only() -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); import labs.world; assert 'pandas' not in sys.modules\n"
        "labs.world.World(transactions_per_day=10).telemetry(0)\n"
        "print([m for m in sys.modules if m.startswith('labs.') and not m.startswith('labs.world')])\n"
        "print([m for m in ('sklearn', 'scipy', 'pyarrow.dataset') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["[]", "[]"]


def test_expected_rows_of_a_month() -> None:
    total = sum(len(frame) for _, frame in World(transactions_per_day=500).stream(days=30))
    assert total == pytest.approx(30 * 500, rel=0.15)
    assert WORLD.calendar(1).date - WORLD.first_day == timedelta(days=1)
