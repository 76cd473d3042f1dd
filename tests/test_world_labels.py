"""Labels come late, and the truth behind them is what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from labs.world import World
from labs.world.champion import TERMS, WEIGHTS

WORLD = World(seed=7)
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def month() -> pd.DataFrame:
    """Thirty days of truth, labels and scores, row by row."""
    days = []
    for day in range(30):
        served, labels, truth = WORLD.served(day), WORLD.labels(day), WORLD.truth(day)
        assert (served["transaction_id"] == labels["transaction_id"]).all()
        assert (labels["is_fraud"] == truth["is_fraud"]).all()
        days.append(
            pd.concat([served, labels[["is_fraud", "labelled_at"]], truth["fraud_probability"]], axis=1)
        )
    return pd.concat(days, ignore_index=True)


def test_fraud_is_rare(month: pd.DataFrame) -> None:
    assert 0.004 < month["is_fraud"].mean() < 0.008


def test_true_probabilities_are_calibrated(month: pd.DataFrame) -> None:
    edges = [0, 0.0005, 0.002, 0.01, 0.05, 0.2, 1]
    for _, part in month.groupby(pd.cut(month["fraud_probability"], edges), observed=True):
        p = part["fraud_probability"]
        spread = 4 * np.sqrt((p * (1 - p)).sum())
        assert abs(part["is_fraud"].sum() - p.sum()) < spread


def test_fraud_can_be_ranked_but_not_perfectly(month: pd.DataFrame) -> None:
    ceiling, champion = (roc_auc(month["is_fraud"], month[name]) for name in ("fraud_probability", "score"))
    assert 0.93 < ceiling < 0.97
    assert 0.90 < champion < ceiling - 0.005


def test_frauds_are_known_within_days_and_the_rest_when_the_window_closes(month: pd.DataFrame) -> None:
    waited = month["labelled_at"] - month["event_time"]
    assert (waited[~month["is_fraud"]] == 30 * DAY).all()
    frauds = waited[month["is_fraud"]] / DAY
    assert 3 < frauds.median() < 5
    assert (frauds < 1).mean() > 0.15
    assert (frauds > 14).mean() > 0.03
    assert frauds.between(0, 30, inclusive="neither").all()


def test_the_delay_says_nothing_of_the_score(month: pd.DataFrame) -> None:
    frauds = month[month["is_fraud"]]
    waited = (frauds["labelled_at"] - frauds["event_time"]).rank()
    assert abs(waited.corr(frauds["score"].rank())) < 4 / np.sqrt(len(frauds))


def test_labels_known_holds_exactly_what_has_arrived(month: pd.DataFrame) -> None:
    as_of = datetime(2026, 1, 20, 9, 30)
    known = WORLD.labels_known(as_of)
    wanted = month.loc[month["labelled_at"] <= as_of, "transaction_id"]
    assert set(known["transaction_id"]) == set(wanted)
    assert known["is_fraud"].all()  # no window has closed yet: the last thirty days show frauds only
    later = WORLD.labels_known(as_of + timedelta(days=20), first=5)
    assert not later["is_fraud"].all()
    assert (later["labelled_at"] <= as_of + timedelta(days=20)).all()
    aware = WORLD.labels_known(as_of.replace(tzinfo=UTC))
    pd.testing.assert_frame_equal(aware, known)


def test_labels_arriving_are_the_difference_of_labels_known() -> None:
    begin, end = datetime(2026, 2, 3, 7), datetime(2026, 2, 5, 19)
    arriving = WORLD.labels_arriving(begin, end)
    before, after = WORLD.labels_known(begin), WORLD.labels_known(end)
    assert arriving["labelled_at"].is_monotonic_increasing
    assert set(arriving["transaction_id"]) == set(after["transaction_id"]) - set(before["transaction_id"])
    assert len(WORLD.labels_arriving(datetime(2025, 1, 1), datetime(2025, 1, 2))) == 0


def test_the_scorecard_names_each_weight() -> None:
    assert len(TERMS) == WEIGHTS.size


def roc_auc(fraud: pd.Series[bool], score: pd.Series[float]) -> float:
    """The Mann–Whitney form: the chance that a fraud scores above a payment that is none."""
    ranks, frauds = score.rank(), int(fraud.sum())
    below = ranks[fraud].sum() - frauds * (frauds + 1) / 2
    return float(below / (frauds * (len(fraud) - frauds)))
