"""Predictions with the payer's features from the store and from the cache: right, old, wrong, forgotten in time."""

from __future__ import annotations

import time
from dataclasses import replace

import payers
import refusals
import watching
from between import CLOSE
from model_maker import with_metadata
from rig import expect_counts, post
from watching import metrics_of, renamed, until

SOON_STALE = 2.0  # seconds from when it is stored
CACHE_SECONDS = 1.0


def predicts(rig):
    cases = rig.stored(40)
    rig = replace(rig, model=with_an_edge(rig.model, cases))
    service = rig.ready()
    rig.expect(service, cases, "fresh")
    rig.expect(service, cases, "cached")


def with_an_edge(model, cases):
    """The model, blocking from exactly one payment's probability on, which rounding would bring below it."""
    for case, among_all in zip(cases, model.probabilities([case.row for case in cases]), strict=True):
        (probability,) = model.probabilities([case.row])
        if probability == among_all and 0.01 < probability < 0.99 and round(probability, 2) < probability:
            return with_metadata(model, threshold=probability)
    return model


def refuses(rig):
    service = rig.ready()
    case = rig.hot[0]
    for body, hint in refusals.wrong(case.payment, case.stored):
        service.post("/predict", json=body).expect(status=422, hint=hint)
    for body in refusals.right(case.payment):
        service.post("/predict", json=body).expect(status=200, hint=refusals.THE_TABLE)


def flags_stale(rig):
    limit = payers.STALE_SECONDS
    ages = [*rig.rng.uniform(0, limit - 120, 7), *rig.rng.uniform(limit + 60, 40 * limit, 7)]
    cases = [replace(case, age_seconds=float(age)) for case, age in zip(rig.cases(14), ages, strict=True)]
    payers.put(rig.store, cases)
    service = rig.ready()
    soon = [replace(case, age_seconds=limit - SOON_STALE) for case in rig.cases(1)]
    payers.put(rig.store, soon)
    stale_at = time.monotonic() + SOON_STALE
    post(service, soon[0]).expect(status=200)  # fresh, unless this machine took two seconds for it
    rig.expect(service, cases, ["stale" if case.age_seconds > limit else "fresh" for case in cases])
    rig.expect(service, cases, ["stale" if case.age_seconds > limit else "cached" for case in cases])
    time.sleep(max(0.0, stale_at + 0.2 - time.monotonic()))
    rig.expect(service, soon, "stale")


def forgets_in_time(rig):
    cases = rig.stored(6)
    service = rig.ready(CACHE_SECONDS=f"{CACHE_SECONDS:g}", LOOKUP_TIMEOUT_MS="20000")
    rig.expect(service, cases, "fresh")
    later = [case.changed(payer_txn_count_24h=case.stored["payer_txn_count_24h"] + 900) for case in cases]
    payers.put(rig.store, later)
    time.sleep(0.5)
    for case in cases:  # a reader must not lengthen the life of what it reads
        post(service, case).expect(status=200)
    time.sleep(0.7)
    answers = [post(service, case).expect(status=200, keys=watching.KEYS).json() for case in later]
    wanted = rig.model.probabilities([case.row for case in later])
    did = f"POST /predict 1.2 s after an entry was read, with CACHE_SECONDS={CACHE_SECONDS:g}"
    for answer, probability in zip(answers, wanted, strict=True):
        renamed(service.get("/healthz"), did).require(
            abs(answer["fraud_probability"] - probability) <= watching.ABS,
            wanted="the value that the store has now",
            got="an older value",
            hint="Count an entry's age from the moment at which the store was asked, not from its last use.",
        )
    slow = rig.stored(1)
    with rig.held(service, slow):
        time.sleep(CACHE_SECONDS + 0.3)
    reply = renamed(
        post(service, slow[0]), "POST /predict for a payer whose look-up took longer than CACHE_SECONDS"
    )
    reply.expect(
        status=200,
        json={"features": "fresh"},
        hint="What the store answers was true when it was asked. From then on the entry gets older.",
    )
    time.sleep(CACHE_SECONDS + 0.2)
    rig.between.mode = CLOSE
    rig.expect_fallback(service, later, "POST /predict while the store is away, for an entry that is too old")


def falls_back_for_one_payer(rig):
    bad, good = rig.cases(payers.UNUSABLE), rig.stored(4)
    service = rig.ready()
    before = metrics_of(service)
    for kind, case in payers.broken(rig.store, bad):
        rig.expect_fallback(service, [case], did=f"POST /predict for {kind}")
    rig.expect(service, good, "fresh")
    found = until(service, lambda one: one.total("fraud_fallbacks_total") >= len(bad), 3)
    reasons = {"missing": 1, "invalid": len(bad) - 1, "unavailable": 0}
    name = "fraud_fallbacks_total"
    expect_counts(
        service, found, before, [(name, count, {"reason": reason}) for reason, count in reasons.items()]
    )
    payers.put(rig.store, bad)
    rig.expect(service, bad, "fresh")
