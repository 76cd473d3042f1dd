"""A store that hangs, hangs up, gives half an answer or says that it is loading; and how often it is asked then."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import watching
from between import CLOSE, HALF, HOLD, LOADING, PASS
from rig import expect_counts, post
from watching import metrics_of, renamed, until

WORDS = {HOLD: "hangs", CLOSE: "hangs up", HALF: "gives half an answer", LOADING: "is loading its data"}
WELL_AGAIN, SLACK = 5.0, 3.0  # seconds: the contract's, and a busy machine's
TIMEOUT = 1.0  # seconds
WATCHED, AT_ONCE, EVERY = 3.0, 6, 0.2  # seconds; payments; seconds


def survives(rig, modes):
    cases = rig.stored(60)
    service = rig.ready(LOOKUP_TIMEOUT_MS="250")
    before, fallbacks, left = metrics_of(service), 0, iter(cases)
    for mode in modes:
        rig.between.mode = mode
        rig.expect_fallback(
            service, [next(left) for _ in range(5)], f"POST /predict while the store {WORDS[mode]}"
        )
        rig.expect(service, rig.hot[:3], "cached")
        service.get("/readyz").expect(
            status=200, hint="Not ready means: send nothing here. All replicas have the same store."
        )
        rig.between.mode = PASS
        fallbacks += 5 + fallbacks_until_fresh(service, left, WORDS[mode])
    found = until(service, lambda one: one.total("fraud_fallbacks_total") >= fallbacks, 3)
    reasons = {"unavailable": fallbacks, "invalid": 0, "missing": 0}
    name = "fraud_fallbacks_total"
    expect_counts(
        service, found, before, [(name, count, {"reason": reason}) for reason, count in reasons.items()]
    )


def fallbacks_until_fresh(service, cases, words):
    """How many payments still fell back after the store was well again."""
    deadline = time.monotonic() + WELL_AGAIN + SLACK
    for count, case in enumerate(cases):
        reply = post(service, case).expect(status=200, keys=watching.KEYS)
        if reply.json()["features"] == "fresh":
            return count
        renamed(reply, f"POST /predict after a time in which the store {words}").require(
            time.monotonic() < deadline,
            wanted=f"features `fresh`, at most {WELL_AGAIN:g} s after the store is well again",
            got="features `fallback` all the time",
            hint="Something remembers the failure: a connection, a cache, a breaker that nobody closes.",
        )
        time.sleep(0.25)
    raise AssertionError("there are always more payments than seconds")


def asks_once_a_second(rig):
    """Five payments fail; from then on, in every burst, at most one payment a second waits."""
    service = rig.ready(LOOKUP_TIMEOUT_MS=f"{TIMEOUT * 1000:g}")
    cases = iter(rig.cases(5 + AT_ONCE * int(WATCHED / EVERY + 2)))
    before, answered, slow = metrics_of(service), 5, 0
    rig.between.mode = HOLD
    with ThreadPoolExecutor(5 + 4 * AT_ONCE) as pool:
        list(pool.map(lambda case: post(service, case).expect(status=200), [next(cases) for _ in range(5)]))
        began, sent = time.monotonic(), []
        while (now := time.monotonic()) - began < WATCHED:
            sent += [pool.submit(post, service, next(cases)) for _ in range(AT_ONCE)]
            time.sleep(max(0.0, now + EVERY - time.monotonic()))
        window = time.monotonic() - began
        replies = [one.result().expect(status=200) for one in sent]
    answered += len(replies)
    slow = sum(reply.seconds >= 0.9 * TIMEOUT for reply in replies)
    renamed(
        replies[-1], f"POST /predict, {AT_ONCE} at the same moment, again and again, while the store hangs"
    ).require(
        slow <= window + 2,
        wanted=f"answers at once, but for one payment a second that waits for LOOKUP_TIMEOUT_MS={TIMEOUT * 1000:g}",
        got="more that wait",
        hint="After a few failures in a row, stop asking for a second (a circuit breaker), and then let one ask.",
        measured=f"{slow} of {len(replies)} waited, in {window:.1f} s",
    )
    found = until(service, lambda one: one.total("fraud_fallbacks_total") >= answered, 3)
    expect_counts(service, found, before, [("fraud_fallbacks_total", answered, {"reason": "unavailable"})])
