"""The grader of online_inference: over HTTP, with a relay before Redis; a fleet on simulated time; replayed pages."""

from __future__ import annotations

import numpy as np
import pytest
import redis

import beginning
import crowds
import looking_up
import pages
import payers
import telling
import trouble
import watching
from between import CLOSE, HALF, HOLD, LOADING, Between
from driving import drive
from labs.checks import check
from model_maker import make_model
from reading import expect_page
from rig import Rig


@pytest.fixture(scope="session")
def model(seed):
    return make_model(seed)


@pytest.fixture(scope="session")
def draws(seed):
    return payers.Draws(seed)


@pytest.fixture(scope="session")
def store(services):
    """The Redis of this grading."""
    return redis.Redis.from_url(services.up("redis").url)


@pytest.fixture(scope="session")
def named(draws, store, seed):
    """Who is on the list of hot payers, hottest first: (those who can be used, those between them who cannot)."""
    cases = draws.cases(np.random.default_rng(seed), payers.HOT_PAYERS + payers.UNUSABLE)
    good, bad = cases[payers.UNUSABLE :], cases[: payers.UNUSABLE]
    payers.put(store, good)
    list(payers.broken(store, bad))
    store.rpush(payers.HOT_KEY, *[case.payer_id for case in (*good[:20], *bad, *good[20:])])
    return good, bad


@pytest.fixture
def between(services, named):
    relay = Between(services.up("redis").url)
    yield relay
    relay.close()


@pytest.fixture
def rig(work, between, model, store, named, draws, rng):
    return Rig(work, between, model, store, named[0], draws, rng)


# Alive, ready, warm


@check(points=1)
def starts_and_gets_ready(rig):
    """starts, answers `GET /healthz` with 200, and `GET /readyz` with 200 once it is ready"""
    service = rig.serve()
    service.get("/healthz").expect(status=200, json={"status": "ok"})
    service.poll("/readyz", timeout=watching.PATIENCE).expect(
        json={"status": "ready", "model_version": rig.model.version}
    )


@check(points=2, after=starts_and_gets_ready)
def gets_ready_when_model_and_cache_are(rig):
    """is not ready before its cache is warm"""
    beginning.waits_for_its_cache(rig)


@check(points=2, after=starts_and_gets_ready)
def takes_a_model_that_comes_late(rig):
    """waits for its model file, refuses half of one, and takes it when it is there"""
    beginning.waits_for_its_model(rig)


@check(points=2, after=starts_and_gets_ready)
def knows_its_hot_payers(rig, named):
    """answers every hot payer from the cache, without a question to the store"""
    beginning.knows_its_hot_payers(rig, unusable=named[1])


@check(points=1, after=starts_and_gets_ready)
def starts_without_its_store(rig):
    """gets ready with a cold cache when the store stays silent for `WARM_UP_SECONDS`"""
    beginning.starts_without_its_store(rig)


# Predictions


@check(points=4, after=starts_and_gets_ready)
def predicts_with_looked_up_features(rig):
    """returns the model's own probability, with the payer's features from the store"""
    looking_up.predicts(rig)


@check(points=2, after=starts_and_gets_ready)
def refuses_what_it_should_look_up(rig):
    """refuses features of the payer that the caller sends, and fields that are wrong or missing"""
    looking_up.refuses(rig)


@check(points=2, after=predicts_with_looked_up_features)
def flags_stale_features(rig):
    """uses values older than `STALE_SECONDS`, and says `stale`, from the store and from the cache"""
    looking_up.flags_stale(rig)


@check(points=2, after=predicts_with_looked_up_features)
def forgets_in_time(rig):
    """never uses an entry that it read more than `CACHE_SECONDS` ago"""
    looking_up.forgets_in_time(rig)


# When the store is wrong, slow or gone


@check(points=3, after=predicts_with_looked_up_features)
def falls_back_for_one_payer(rig):
    """falls back for a payer whose features cannot be used, for that payer alone, and only as long"""
    looking_up.falls_back_for_one_payer(rig)


@check(points=4, after=predicts_with_looked_up_features)
def answers_while_the_store_is_down(rig):
    """answers in time while the store hangs or hangs up, and is fresh again within 5 seconds"""
    trouble.survives(rig, (HOLD, CLOSE))


@check(points=2, after=predicts_with_looked_up_features)
def answers_while_the_store_talks_nonsense(rig):
    """answers in time while the store gives half an answer or an error, and is fresh again within 5 seconds"""
    trouble.survives(rig, (HALF, LOADING))


@check(points=2, after=predicts_with_looked_up_features)
def stops_asking_a_dead_store(rig):
    """lets one payment a second wait for a store that hangs, and no more"""
    trouble.asks_once_a_second(rig)


# Under load, and at the end


@check(points=3, after=predicts_with_looked_up_features)
def stays_free_while_it_waits(rig):
    """answers others while one look-up takes long, and waits for many side by side"""
    crowds.waits_side_by_side(rig)


@check(points=3, after=predicts_with_looked_up_features)
def sheds_what_is_too_much(rig):
    """turns away at once what exceeds `MAX_IN_FLIGHT`, with 503 and Retry-After, and counts it"""
    crowds.sheds(rig)


@check(points=1, after=predicts_with_looked_up_features)
def frees_the_places_of_lost_callers(rig):
    """counts a payment from its first byte, and frees its place when the caller hangs up"""
    crowds.frees_places(rig)


@check(points=1, after=predicts_with_looked_up_features)
def finishes_what_it_began(rig):
    """answers the payment that it is working on when SIGTERM comes, then ends"""
    crowds.finishes(rig)


@check(points=2, after=starts_and_gets_ready)
def computes_in_one_thread(rig):
    """scores one payment in one thread"""
    crowds.computes_in_one_thread(rig)


# What it says of itself


@check(points=3, after=starts_and_gets_ready)
def counts_everything_once(rig):
    """counts every prediction exactly once, by status, and its look-up, cache and fallback"""
    telling.counts_everything_once(rig)


@check(points=2, after=starts_and_gets_ready)
def can_show_its_objectives(rig):
    """has histogram bounds at 50 ms and at 120 ms, with neighbours within 25 %"""
    telling.can_show_its_objectives(rig)


@check(points=3, after=predicts_with_looked_up_features)
def reports_the_latency_that_callers_see(rig):
    """reports the p95 in `/metrics` that its callers measure"""
    telling.reports_the_latency_that_callers_see(rig)


@check(points=2, after=starts_and_gets_ready, needs=("prometheus",))
def agrees_with_a_real_prometheus(rig, services):
    """shows a real Prometheus the p95 that its callers measure"""
    telling.agrees_with_a_real_prometheus(rig, services.up("prometheus"))


@check(points=2, after=starts_and_gets_ready)
def keeps_labels_few(rig):
    """has no more time series, whoever pays and whatever path is asked for"""
    telling.keeps_labels_few(rig)


# The autoscaler


@check(points=3)
def follows_the_day(work, seed):
    """scales up ahead of a morning's ramp and of a festival's evening, and pays for what it needs"""
    drive(work, seed, "ramp")
    drive(work, seed, "festival")


@check(points=2)
def survives_a_flash_sale(work, seed):
    """catches up with more than twice the traffic within minutes"""
    drive(work, seed, "spike")


@check(points=2)
def does_not_flap(work, seed):
    """does not follow traffic that goes up and down every few minutes"""
    drive(work, seed, "flapping")


@check(points=3)
def gives_back_slowly(work, seed):
    """gives replicas back when the night comes, without a page about cold caches"""
    drive(work, seed, "night")


@check(points=2)
def holds_while_it_is_blind(work, seed):
    """holds what it has while telemetry is missing"""
    drive(work, seed, "blind")


# The diagnosis


@pytest.fixture(scope="module")
def replays(seed):
    return pages.Replays(seed)


@check(points=3)
def finds_the_cold_cache(work, replays):
    """finds the cold cache after a scale-down, and the minute in which it began"""
    for page in replays.cold_caches():
        expect_page(work, page)


@check(points=3)
def tells_causes_apart(work, replays):
    """tells a cold cache from a slow dependency, a bad deploy and a traffic spike"""
    for page in replays.others():
        expect_page(work, page)


@check(points=2)
def says_when_nothing_is_wrong(work, replays):
    """says `None` for healthy days: a scale-down, a good deploy, a festival, missing minutes"""
    for page in replays.healthy():
        expect_page(work, page)
