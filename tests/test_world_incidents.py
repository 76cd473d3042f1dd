"""Each incident changes what it says, while it lasts, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labs.world import Incident, IncidentKind, World, plan_incidents
from labs.world.incidents import FACTS, LOOKED_UP
from labs.world.population import CATEGORIES, CHANNELS

CLEAN = World(seed=7)
START, END = (
    datetime(2026, 1, 7, 4, 0),
    datetime(2026, 1, 9, 9, 0),
)  # from mid-day of day 6 to mid-day of day 8
DAYS = (5, 6, 7, 8, 9)
ALWAYS = ("transaction_id", "event_time", "payer_id", "hour_ist")
Pair = tuple[pd.DataFrame, pd.DataFrame]


def struck(kind: IncidentKind, **fields: Any) -> World:
    """The clean world with one incident in it."""
    incident = Incident(kind=kind, **{"start": START, "end": END, "severity": 0.8, **fields})
    return World(seed=7, incidents=(incident,))


def inside_and_outside(world: World, reading: str = "served") -> tuple[Pair, Pair]:
    """(clean, struck) rows within the incident, and the same outside it."""
    (incident,) = world.incidents
    clean = pd.concat([getattr(CLEAN, reading)(day) for day in DAYS], ignore_index=True)
    seen = pd.concat([getattr(world, reading)(day) for day in DAYS], ignore_index=True)
    when = clean["event_time"]
    inside = (when >= incident.start) & (when < incident.end)
    return (clean[inside], seen[inside]), (clean[~inside], seen[~inside])


def changed(clean: pd.DataFrame, seen: pd.DataFrame) -> set[str]:
    """The columns which are not the same, row by row."""
    names = set()
    for name in clean:
        if clean[name].dtype == "category":
            differ = (clean[name].astype(str) != seen[name].astype(str)).any()
        else:
            differ = not np.array_equal(clean[name], seen[name], equal_nan=clean[name].dtype.kind == "f")
        if differ:
            names.add(str(name))
    return names


def every_incident() -> list[Any]:
    """Each kind, with each feature that it may strike."""
    return [
        pytest.param(kind, feature, id=f"{kind}-{feature}" if feature else str(kind))
        for kind in IncidentKind
        for feature in (FACTS[kind].choices or (None,))
    ]


WIDER = {
    IncidentKind.FRAUD_ATTACK: {
        "merchant_id",
        "amount_paise",
        "channel",
        "merchant_category",
        "payer_merchant_is_new",
        "distance_km",
        "score",
    },
    IncidentKind.COLD_CACHE: {"latency_ms", "score"},
    IncidentKind.SLOW_DEPENDENCY: {"latency_ms", "score"},
    IncidentKind.BAD_DEPLOY: {"score", "model_version"},
    IncidentKind.STALE_FEATURES: {"score"},
    IncidentKind.UNIT_SWITCH: {"score"},
    IncidentKind.NULL_SPIKE: {"score"},
    IncidentKind.RENAMED_CATEGORY: {"score"},
    IncidentKind.DEAD_UPSTREAM_JOB: {"score"},
}


@pytest.mark.parametrize(("kind", "feature"), every_incident())
def test_it_changes_what_it_says_and_nothing_else(kind: IncidentKind, feature: str | None) -> None:
    world = struck(kind, feature=feature)
    (incident,) = world.incidents
    inside, outside = inside_and_outside(world)
    assert changed(*outside) == set()
    assert changed(*inside) == set(incident.features) | WIDER[kind]
    types = inside[0].dtypes.astype(str)[[n for n in inside[0] if inside[0][n].dtype != "category"]]
    assert (inside[1].dtypes.astype(str)[types.index] == types).all()


@pytest.mark.parametrize("kind", list(IncidentKind))
def test_only_an_attack_changes_the_truth(kind: IncidentKind) -> None:
    world = struck(kind)
    for reading in ("labels", "truth"):
        same = all(getattr(world, reading)(day).equals(getattr(CLEAN, reading)(day)) for day in DAYS)
        assert same is (kind is not IncidentKind.FRAUD_ATTACK)


@pytest.mark.parametrize("feature", FACTS[IncidentKind.UNIT_SWITCH].choices)
def test_unit_switch_divides_the_share_by_a_hundred(feature: str) -> None:
    (clean, seen), _ = inside_and_outside(struck(IncidentKind.UNIT_SWITCH, feature=feature))
    hit = clean[feature] != seen[feature]
    assert hit.mean() == pytest.approx(0.8, abs=0.01)
    wanted = clean.loc[hit, feature] / 100
    assert np.allclose(seen.loc[hit, feature], np.floor(wanted) if feature == "amount_paise" else wanted)


@pytest.mark.parametrize("feature", FACTS[IncidentKind.NULL_SPIKE].choices)
def test_null_spike_empties_the_share(feature: str) -> None:
    (_, seen), _ = inside_and_outside(struck(IncidentKind.NULL_SPIKE, feature=feature, severity=0.3))
    assert seen[feature].isna().mean() == pytest.approx(0.3, abs=0.01)
    assert seen["score"].notna().all()


@pytest.mark.parametrize(
    ("feature", "old", "new", "known"),
    [
        ("channel", "collect", "upi_collect", CHANNELS),
        ("merchant_category", "groceries", "grocery_store", CATEGORIES),
    ],
)
def test_renamed_category_moves_one_name(feature: str, old: str, new: str, known: tuple[str, ...]) -> None:
    world = struck(IncidentKind.RENAMED_CATEGORY, feature=feature)
    assert tuple(CLEAN.transactions(7)[feature].cat.categories) == known
    assert tuple(world.transactions(7)[feature].cat.categories) == (*known, new)
    (clean, seen), _ = inside_and_outside(world)
    moved = clean[feature].astype(str) != seen[feature].astype(str)
    assert set(clean.loc[moved, feature]) == {old} and set(seen.loc[moved, feature]) == {new}
    assert moved.sum() / (clean[feature] == old).sum() == pytest.approx(0.8, abs=0.02)


def test_stale_features_grow_older_from_the_start() -> None:
    (clean, seen), _ = inside_and_outside(struck(IncidentKind.STALE_FEATURES))
    lag = seen["feature_age_minutes"] - clean["feature_age_minutes"]
    elapsed = (seen["event_time"] - pd.Timestamp(START)) / pd.Timedelta(minutes=1)
    assert np.allclose(lag, 0.8 * elapsed)
    assert (seen["payer_txn_count_24h"] <= clean["payer_txn_count_24h"]).all()
    assert (seen.loc[lag > 24 * 60, "payer_txn_count_24h"] == 0).all()


def test_a_dead_job_serves_the_same_values_each_night_and_says_nothing() -> None:
    world = struck(IncidentKind.DEAD_UPSTREAM_JOB, severity=1.0)
    (clean, seen), _ = inside_and_outside(world)
    first_night = seen["event_time"] < pd.Timestamp(CLEAN.calendar(6).end)
    assert changed(clean[first_night], seen[first_night]) == set()  # that day's tables were there already
    late = seen.loc[~first_night]
    was = clean[first_night].drop_duplicates("payer_id").set_index("payer_id")
    both = late.join(was, on="payer_id", rsuffix="_was", how="inner")
    assert len(both) > 300
    for name in ("payer_mean_amount_30d_paise", "payer_account_age_days"):
        assert (both[name] == both[f"{name}_was"]).all()
    assert np.array_equal(seen["feature_age_minutes"], clean["feature_age_minutes"])


def test_an_attack_makes_frauds_that_the_champion_waves_through() -> None:
    world = struck(IncidentKind.FRAUD_ATTACK, severity=1.0)
    (clean, seen), _ = inside_and_outside(world)
    attacked = clean["merchant_id"] != seen["merchant_id"]
    assert attacked.mean() == pytest.approx(0.02, abs=0.003)
    ring = seen[attacked]
    assert ring["merchant_id"].nunique() <= 12
    assert ring["amount_paise"].between(48_000, 49_900).all()
    truth = pd.concat([world.truth(day) for day in DAYS]).set_index("transaction_id")
    before = pd.concat([CLEAN.truth(day) for day in DAYS]).set_index("transaction_id")
    assert truth.loc[ring["transaction_id"], "is_fraud"].mean() == pytest.approx(0.9, abs=0.04)
    assert (truth["is_fraud"] >= before["is_fraud"]).all()  # it adds frauds, it hides none
    rest = truth.index.difference(ring["transaction_id"])
    assert truth.loc[rest].equals(before.loc[rest])
    usual = before.index[before["is_fraud"]]
    served = pd.concat([CLEAN.served(day) for day in DAYS]).set_index("transaction_id")["score"]
    assert ring["score"].quantile(0.95) < 0.1 * served.loc[usual].median()


def test_a_cold_cache_misses_slows_down_and_warms_up() -> None:
    world = struck(IncidentKind.COLD_CACHE, end=START + timedelta(hours=3))
    before, during = CLEAN.telemetry(6), world.telemetry(6)
    on = (during["minute"] >= START) & (during["minute"] < START + timedelta(hours=3))
    assert before[~on].equals(during[~on])
    hits = during.loc[on, "cache_hit_ratio"]
    assert before["cache_hit_ratio"].mean() > 0.94
    assert hits.head(30).mean() < 0.5 < hits.tail(30).mean()
    assert during.loc[on, "p95_ms"].head(30).mean() > 2 * before.loc[on, "p95_ms"].head(30).mean()
    assert (during.loc[on, "replicas"] <= before.loc[on, "replicas"]).all()
    assert during.loc[on, "replicas"].mean() < before.loc[on, "replicas"].mean()


@pytest.mark.parametrize("kind", [IncidentKind.COLD_CACHE, IncidentKind.SLOW_DEPENDENCY])
def test_look_ups_that_time_out_get_all_defaults(kind: IncidentKind) -> None:
    (clean, seen), _ = inside_and_outside(struck(kind, severity=1.0))
    hit = (seen["payer_mean_amount_30d_paise"] == 20_000.0) & (
        clean["payer_mean_amount_30d_paise"] != 20_000.0
    )
    assert hit.mean() > 0.03
    assert seen.loc[hit, list(LOOKED_UP)].nunique().eq(1).all()
    assert changed(clean[~hit].drop(columns="latency_ms"), seen[~hit].drop(columns="latency_ms")) == set()
    assert (seen.loc[hit, "latency_ms"] > 60).all()


def test_a_slow_dependency_shows_in_look_ups_and_errors() -> None:
    world = struck(IncidentKind.SLOW_DEPENDENCY)
    before, during = CLEAN.telemetry(7), world.telemetry(7)
    assert during["feature_lookup_p95_ms"].mean() > 5 * before["feature_lookup_p95_ms"].mean()
    assert during["errors"].sum() > 10 * max(1, before["errors"].sum())
    assert during["p95_ms"].median() > 50 > before["p95_ms"].quantile(0.99)


def test_a_bad_deploy_is_a_new_version_with_other_scores() -> None:
    world = struck(IncidentKind.BAD_DEPLOY)
    (clean, seen), _ = inside_and_outside(world)
    assert set(clean["model_version"]) == {"fraud-3"} and set(seen["model_version"]) == {"fraud-4"}
    assert seen["score"].mean() > 2 * clean["score"].mean()
    minutes = world.telemetry(6).set_index("minute")["model_version"]
    assert minutes[START - timedelta(minutes=1)] == "fraud-3" and minutes[START] == "fraud-4"


def test_two_incidents_at_once_both_strike() -> None:
    both = World(
        seed=7,
        incidents=(
            Incident(IncidentKind.NULL_SPIKE, START, END, 0.5),
            Incident(IncidentKind.UNIT_SWITCH, START, END, 1.0),
        ),
    )
    assert changed(CLEAN.transactions(7), both.transactions(7)) == {"distance_km", "amount_paise"}


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_holds_each_kind_once_without_overlap(seed: int) -> None:
    first = date(2026, 10, 1)
    plan = plan_incidents(seed, first, 30)
    assert plan == plan_incidents(seed, first, 30)
    assert plan != plan_incidents(seed + 1, first, 30)
    assert {incident.kind for incident in plan} == set(IncidentKind)
    world = World(first_day=first, incidents=plan)
    assert plan[0].start > world.calendar(0).start and plan[-1].end < world.calendar(29).end
    for one, next_one in zip(plan, plan[1:], strict=False):
        assert next_one.start - one.end >= timedelta(minutes=30)
    for incident in plan:
        facts = FACTS[incident.kind]
        low, high = (timedelta(hours=hours) for hours in facts.hours)
        assert low <= incident.end - incident.start <= high
        assert facts.severity[0] <= incident.severity <= facts.severity[1]
        assert incident.cause in facts.causes
        assert incident.decision in {"retrain", "roll back", "fix upstream"}


def test_a_plan_may_be_of_some_kinds_or_of_none_too_many() -> None:
    plan = plan_incidents(1, date(2026, 1, 1), 60, kinds=["bad_deploy", IncidentKind.NULL_SPIKE], count=5)
    kinds = [incident.kind for incident in plan]
    assert len(kinds) == 5 and abs(kinds.count(IncidentKind.BAD_DEPLOY) - 2.5) < 1
    assert len(plan_incidents(1, date(2026, 1, 1), 7)) == 9
    with pytest.raises(ValueError, match="days is 2: too few for these 9 incidents"):
        plan_incidents(1, date(2026, 1, 1), 2)
    with pytest.raises(ValueError, match="at least one kind"):
        plan_incidents(1, date(2026, 1, 1), 30, kinds=[])
    with pytest.raises(ValueError, match="kind is 'flood': give one of unit_switch"):
        plan_incidents(1, date(2026, 1, 1), 30, kinds=["flood"])


def test_an_incident_knows_when_it_is() -> None:
    incident = Incident(IncidentKind.BAD_DEPLOY, START, END, 0.5, "someone pushed a button")
    assert incident.active(START) and not incident.active(END)
    assert incident.active(datetime(2026, 1, 8, tzinfo=UTC))
    assert incident.dates() == (date(2026, 1, 7), date(2026, 1, 8), date(2026, 1, 9))
    assert incident.days(date(2026, 1, 1)) == (6, 7, 8)
    assert Incident("bad_deploy", START, END) == Incident(IncidentKind.BAD_DEPLOY, START, END)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "flood"}, "kind is 'flood': give one of"),
        ({"start": "monday"}, "start is 'monday': give a datetime"),
        ({"end": START}, "end is .*, not after start"),
        ({"severity": 0}, "severity is 0: give a number above 0"),
        ({"severity": 1.1}, "severity is 1.1"),
        ({"severity": float("nan")}, "severity is nan"),
        ({"feature": "channel"}, "feature is 'channel': for unit_switch give one of amount_paise"),
        ({"kind": "bad_deploy", "feature": "channel"}, "strikes no single column"),
    ],
)
def test_an_impossible_incident_is_refused(fields: dict[str, Any], message: str) -> None:
    given = {"kind": IncidentKind.UNIT_SWITCH, "start": START, "end": END, **fields}
    with pytest.raises(ValueError, match=message):
        Incident(**given)
