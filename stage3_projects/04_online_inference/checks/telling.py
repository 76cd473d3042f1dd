"""What the service says of itself in /metrics, against what the grader did and saw."""

from __future__ import annotations

import statistics
import time

import payers
import prometheus
import watching
from rig import expect_counts, post
from watching import REQUESTS, metrics_of, renamed, until

SLO_SECONDS = (0.05, 0.12)
NEIGHBOUR = 0.25  # the next bounds lie at most this share away
LOOKUPS, CACHE = "fraud_lookup_duration_seconds_count", "fraud_cache_requests_total"


def counts_everything_once(rig):
    new, unknown = rig.cases(int(rig.rng.integers(4, 9))), rig.cases(int(rig.rng.integers(2, 6)))
    payers.put(rig.store, new[1:])
    service = rig.ready(MAX_IN_FLIGHT="1", LOOKUP_TIMEOUT_MS="20000")
    before = metrics_of(service)
    for name in (LOOKUPS, CACHE, "fraud_fallbacks_total"):
        renamed(service.get("/healthz"), "GET /metrics before the first payment").require(
            before.total(name) == 0, wanted=f"`{name}` 0", got=f"{before.total(name):g}",
            hint="The warm-up asks for nobody's payment: it is not counted.",
        )  # fmt: skip
    cached, wrong, shed = (int(rig.rng.integers(*ends)) for ends in ((6, 12), (3, 7), (2, 5)))
    for case in (*rig.hot[:cached], *new[1:], *unknown):
        post(idle(service), case).expect(status=200)
    for _ in range(wrong):
        idle(service).post("/predict", json={"payer_id": "x"}).expect(status=422)
    idle(service)
    payers.put(rig.store, new[:1])
    with rig.held(service, new[:1]):
        until(service, lambda found: found.total("fraud_in_flight") == 1, watching.PATIENCE)
        statuses = [post(service, case, 3).status for case in rig.hot[:shed]]
    good, refused = cached + len(new) + len(unknown), statuses.count(503)
    by_status = {"200": good, "422": wrong, "503": refused}
    wanted = [("fraud_requests_total", count, {"status": status}) for status, count in by_status.items()]
    wanted += [(f"{REQUESTS}_count", count, {"status": status}) for status, count in by_status.items()]
    wanted += [
        ("fraud_shed_total", refused, {}),
        (CACHE, cached, {"result": "hit"}),
        (CACHE, len(new) + len(unknown), {"result": "miss"}),
        (LOOKUPS, len(new) + len(unknown), {}),
        ("fraud_fallbacks_total", len(unknown), {"reason": "missing"}),
        ("fraud_fallbacks_total", len(unknown), {}),
    ]
    name = f"{REQUESTS}_count"
    after = until(service, lambda found: found.total(name) - before.total(name) >= good + wrong + refused, 3)
    expect_counts(service, after, before, wanted)


def idle(service):
    """The service, when no payment is being worked on: a count may end a moment after its reply."""
    until(service, lambda found: found.total("fraud_in_flight") == 0, 0.5)
    return service


def can_show_its_objectives(rig):
    service = rig.ready()
    post(service, rig.hot[0]).expect(status=200)
    found = until(service, lambda one: one.histogram(REQUESTS).count > 0)
    bounds = found.histogram(REQUESTS).bounds
    for objective in SLO_SECONDS:
        close = [bound for bound in bounds if abs(bound / objective - 1) <= NEIGHBOUR + 1e-9]
        exact = [bound for bound in close if abs(bound / objective - 1) < 1e-6]
        renamed(service.get("/metrics"), f"the bounds of `{REQUESTS}`").require(
            exact and min(close) < exact[0] < max(close),
            wanted=f"a bound at {objective} s, one below and one above it, each at most {NEIGHBOUR:.0%} away",
            got=f"bounds {', '.join(f'{bound:g}' for bound in bounds[:12])}" if bounds else "no histogram",
            hint="Between two bounds a histogram guesses. Put bounds where your promises are.",
        )


def delayed(rig, least=0.07, most=0.2):
    """40 payments, the last eighth with injected delays; the service, seconds seen from outside, and the delays."""
    slow = rig.stored(5)
    service = rig.ready(LOOKUP_TIMEOUT_MS="20000")
    waits = [float(wait) for wait in rig.rng.uniform(least, most, len(slow))]
    rig.between.delays.update({case.payer_id: wait for case, wait in zip(slow, waits, strict=True)})
    seen = [post(service, case).expect(status=200).seconds for case in (*rig.hot[:35], *slow)]
    return service, seen, waits


def reports_the_latency_that_callers_see(rig):
    service, seen, waits = delayed(rig)
    found = until(service, lambda one: one.histogram(REQUESTS, status="200").count >= len(seen), 3)
    histogram = found.histogram(REQUESTS, status="200")
    measured = f"p95 is {statistics.quantiles(seen, n=20)[-1] * 1000:.0f} ms outside"
    evidence = renamed(
        service.get("/healthz"), f"40 POST /predict, {len(waits)} of them delayed by the store"
    )
    evidence.require(
        histogram.count == len(seen),
        wanted=f'`{REQUESTS}` with 40 observations of status="200"',
        got=f"{histogram.count:g}",
        hint="A histogram has `_bucket` lines with `le`; a summary or a gauge cannot be added up over replicas.",
    )
    measured += f", {histogram.quantile(0.95) * 1000:.0f} ms in /metrics"
    for bound, count in zip(histogram.bounds[:-1], histogram.counts, strict=False):
        evidence.require(
            count <= len(seen) - sum(wait >= bound for wait in waits),
            wanted="times from the moment a request comes in until its reply is out",
            got="requests that were delayed by the store in buckets of quick ones",
            hint="Time the whole request, where it enters; the look-up is a part of it. The unit is seconds.",
            measured=measured,
        )
        evidence.require(
            count >= sum(one <= bound for one in seen) - 3,
            wanted="times as callers see them",
            got="requests in higher buckets than their callers measured",
            hint="The unit is seconds; start the clock when the request comes in.",
            measured=measured,
        )


def agrees_with_a_real_prometheus(rig, running):
    service, seen, waits = delayed(rig, least=0.09, most=0.11)
    told = prometheus.Told(running, lambda: service.get("/metrics"))
    try:
        count = told.until(f'sum({REQUESTS}_count{{status="200"}})', lambda value: value >= len(seen))
        found = told.ask(f'histogram_quantile(0.95, sum by (le) ({REQUESTS}_bucket{{status="200"}}))')
    finally:
        told.close()
    outside = statistics.quantiles(seen, n=20)[-1]
    evidence = renamed(service.get("/healthz"), "PromQL: histogram_quantile(0.95, …) after 40 POST /predict")
    evidence.require(
        count == len(seen),
        wanted=f'{len(seen)} observations of status="200"',
        got="another number" if count is not None else "none",
        hint="Does Prometheus scrape it? See the target's page: a wrong Content-Type or a torn line ends a scrape.",
    )
    evidence.require(
        found is not None and 0.6 * min(waits) <= found <= 1.6 * outside + 0.05,
        wanted="the p95 that callers measure, within a bucket",
        got="another one",
        hint="Buckets count seconds, from the moment the request came in.",
        measured=f"{found} s in Prometheus, {outside:.3f} s outside",
    )


def keeps_labels_few(rig):
    service = rig.ready()
    cases = rig.cases(16)
    payers.put(rig.store, cases[:8])
    make_noise(service, (*cases[:2], *cases[-2:]))
    first = series(service)
    make_noise(service, cases[2:-2])
    more = series(service) - first
    renamed(service.get("/healthz"), "POST /predict for 12 more payers, and 36 other requests").require(
        len(more) < 8,
        wanted="the same time series as before",
        got="new series for each",
        hint="A label's values are a short list that you could write down. Identities belong in logs.",
        measured=f"{len(more)} new: {sorted(more)[:2]}",
    )


def make_noise(service, cases):
    for case in cases:
        post(service, case)
        service.get(f"/{case.payer_id}/x")
        service.request(f"M{case.payer_id}", "/predict")
        service.post("/predict", json={"payer_id": case.payer_id})


def series(service):
    time.sleep(0.3)
    return {(one.name, *sorted(one.labels.items())) for one in metrics_of(service).samples}
