"""The offers that payers were shown: what `labs.world.offers` promises."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from labs.world import World
from labs.world.offers import CHUNK_ROWS, Offers

ROOT = Path(__file__).resolve().parents[1]
FIRST_DAY = date(2026, 10, 26)  # Diwali is day 13
OFFERS = Offers(seed=7, first_day=FIRST_DAY)
DTYPES = {
    "impression_id": "int64",
    "shown_at": "datetime64[us]",
    "payer_id": "int64",
    "merchant_id": "int64",
    "merchant_category": "category",
    "hour_ist": "int8",
    "discount_percent": "int8",
    "min_amount_paise": "int64",
    "payer_mean_amount_30d_paise": "float64",
    "payer_txn_count_30d": "int32",
    "payer_account_age_days": "float64",
    "payer_merchant_txn_count_90d": "int32",
    "payer_offers_shown_7d": "int32",
    "distance_km": "float64",
    "redeemed": "int8",
    "redeemed_at": "datetime64[us]",
    "cashback_paise": "int64",
}


def digest(frame: pd.DataFrame) -> str:
    found = hashlib.sha256(str(frame.dtypes.to_dict()).encode())
    for name in frame:
        column = frame[name]
        found.update((column.cat.codes if column.dtype == "category" else column).to_numpy().tobytes())
    return found.hexdigest()


def test_columns_types_and_ranges_are_the_documented_ones() -> None:
    frame = OFFERS.impressions(3)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
    assert len(frame) == OFFERS.rows(3)
    assert frame["impression_id"].is_unique and frame["impression_id"].between(0, 2**53).all()
    assert frame["shown_at"].is_monotonic_increasing
    assert frame["discount_percent"].isin([5, 10, 15, 20, 25, 30]).all()
    assert frame["min_amount_paise"].between(1_000, 10_000_000).all()
    assert 0 < frame["distance_km"].isna().mean() < 0.01
    rest = frame.drop(columns=["distance_km", "redeemed_at"])
    assert not rest.isna().any().any()


def test_a_day_is_a_day_in_india() -> None:
    for day in (0, 13):
        frame, today = OFFERS.impressions(day), OFFERS.calendar(day)
        assert frame["shown_at"].min() >= today.start and frame["shown_at"].max() < today.end
        hours = (frame["shown_at"] + timedelta(hours=5, minutes=30)).dt.hour
        assert (hours == frame["hour_ist"]).all()


def test_what_became_of_an_offer_is_known_when_the_day_has_ended() -> None:
    frame = OFFERS.impressions(2)
    redeemed = frame["redeemed"] == 1
    assert (frame["redeemed_at"].notna() == redeemed).all()
    assert ((frame["cashback_paise"] > 0) == redeemed).all()
    assert (frame["redeemed_at"][redeemed] >= frame["shown_at"][redeemed]).all()
    assert frame["redeemed_at"].max() < OFFERS.calendar(2).end


def test_the_same_seed_gives_the_same_bytes_in_any_order() -> None:
    first = {day: digest(OFFERS.impressions(day)) for day in (0, 4, 9)}
    again = Offers(seed=7, first_day=FIRST_DAY)
    assert {day: digest(again.impressions(day)) for day in (9, 0, 4)} == first
    assert digest(Offers(8, FIRST_DAY).impressions(0)) != first[0]


def test_a_fresh_process_gives_the_same_bytes() -> None:
    code = (
        "import sys; sys.path[:0] = ['.', 'tests']; from test_world_offers import OFFERS, digest\n"
        "print(digest(OFFERS.impressions(5)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == digest(OFFERS.impressions(5))


def test_a_large_day_comes_in_chunks_that_are_the_day() -> None:
    large = Offers(3, FIRST_DAY, impressions_per_day=2 * CHUNK_ROWS)
    sizes, last, ids = [], pd.Timestamp(0), []
    for chunk in large.chunks(1):
        assert chunk["shown_at"].is_monotonic_increasing and chunk["shown_at"].iloc[0] >= last
        last = chunk["shown_at"].iloc[-1]
        sizes.append(len(chunk))
        ids.append(chunk["impression_id"].to_numpy())
    assert sum(sizes) == large.rows(1) and max(sizes) <= CHUNK_ROWS and len(sizes) > 1
    assert len(np.unique(np.concatenate(ids))) == sum(sizes)
    hours = np.bincount(np.concatenate([chunk["hour_ist"] for chunk in large.chunks(1)]), minlength=24)
    assert hours.argmax() == 19 and hours.min() > 0


def test_payers_and_merchants_are_those_of_the_world() -> None:
    world = World(seed=7, first_day=FIRST_DAY).transactions(0)
    offers = OFFERS.impressions(0)
    known = world.drop_duplicates("payer_id").set_index("payer_id")
    both = offers.drop_duplicates("payer_id").join(known, on="payer_id", rsuffix="_there", how="inner")
    assert len(both) > 1_000
    for name in ("payer_mean_amount_30d_paise", "payer_account_age_days"):
        assert (both[name] == both[f"{name}_there"]).all()
    pairs = pd.concat([world, offers])[["merchant_id", "merchant_category"]].astype(str).drop_duplicates()
    assert pairs["merchant_id"].is_unique, "a merchant sells in one category"


def test_offers_can_be_learned_and_not_perfectly() -> None:
    frames, truths = zip(*((OFFERS.impressions(day), OFFERS.truth(day)) for day in range(5)), strict=True)
    frame, truth = pd.concat(frames), pd.concat(truths)
    assert (frame["redeemed"].to_numpy() == truth["redeemed"].to_numpy()).all()
    assert 0.84 < roc_auc_score(truth["redeemed"], truth["redeem_probability"]) < 0.86
    assert abs(truth["redeem_probability"].mean() - truth["redeemed"].mean()) < 0.005


def test_kinds_of_days_differ() -> None:
    share = {day: OFFERS.truth(day)["redeem_probability"].mean() for day in range(14)}
    ordinary = [share[day] for day in (1, 2, 3)]
    salary = next(day for day in range(14) if OFFERS.calendar(day).is_salary_day)
    assert share[salary] > max(ordinary) and share[5] > max(ordinary), "salary day; Saturday"
    diwali, other = (OFFERS.impressions(day) for day in (13, 2))
    shopping = [
        frame[frame["merchant_category"] == "shopping"]["redeemed"].mean() for frame in (diwali, other)
    ]
    assert shopping[0] > shopping[1] + 0.05


@pytest.mark.parametrize("day", [-1, date(2026, 10, 25), 40_000])
def test_days_that_cannot_be_are_refused(day: int | date) -> None:
    with pytest.raises(ValueError, match="day is"):
        OFFERS.impressions(day)


def test_worlds_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="impressions_per_day"):
        Offers(impressions_per_day=0)
