"""Many payments at once: side by side, too many, from callers who go away, and at the end of the process."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import watching
from beginning import expect_retry_after
from model_maker import heavy
from rig import begin, expect_counts, post
from watching import renamed, until

TOGETHER, DELAY = 12, 0.3  # payments; seconds that the store takes for each
HEAD = ("POST /predict HTTP/1.1", "Host: fraud", "Content-Type: application/json")


def expect_in_flight(service, count, why, hint):
    found = until(service, lambda one: one.total("fraud_in_flight") == count, watching.PATIENCE)
    said = found.total("fraud_in_flight")
    service.require(
        said == count,
        wanted=f"`fraud_in_flight` {count}, {why}",
        got="a smaller number" if said < count else "a larger number",
        hint=hint,
        measured=f"{said:g}",
    )
    return found


def waits_side_by_side(rig):
    (slow,) = rig.stored(1)
    service = rig.ready(LOOKUP_TIMEOUT_MS="20000")
    with rig.held(service, [slow]):
        deadline = time.monotonic() + watching.PATIENCE
        while not rig.between.asked[slow.payer_id] and time.monotonic() < deadline:
            time.sleep(0.01)
        service.get("/healthz", timeout=3).expect(status=200)
        rig.expect(service, rig.hot[:3], "cached")
    cases = rig.stored(TOGETHER)
    rig.between.delays.update({case.payer_id: DELAY for case in cases})
    with ThreadPoolExecutor(TOGETHER) as pool:
        began = time.monotonic()
        replies = [one.result() for one in [begin(pool, service, case) for case in cases]]
        took = time.monotonic() - began
    for reply in replies:
        reply.expect(status=200, json={"features": "fresh"})
    renamed(replies[-1], f"{TOGETHER} POST /predict at once; the store takes {DELAY} s for each").require(
        took < TOGETHER * DELAY * 0.75,
        wanted="look-ups that wait side by side",
        got="one after the other",
        hint="A lock, or a pool of one connection, makes a queue of what could wait together.",
        measured=f"{took:.1f} s for all",
    )


def sheds(rig):
    slow = rig.stored(4)
    service = rig.ready(LOOKUP_TIMEOUT_MS="20000", MAX_IN_FLIGHT="4")
    for _ in range(6):
        service.post("/predict", json={}).expect(status=422)
    with rig.held(service, slow):
        full = expect_in_flight(
            service, 4, "while 4 payments wait for the store",
            "A gauge: up when a request comes in, down when its reply is out, whatever happens between.",
        )  # fmt: skip
        for case in rig.hot[:6]:
            reply = renamed(
                post(service, case, 3), "POST /predict while 4 others are in flight, MAX_IN_FLIGHT=4"
            )
            reply.expect(status=503, hint="Do not let them queue: all would be late together.")
            expect_retry_after(reply)
        service.get("/healthz", timeout=3).expect(status=200)
    after = until(
        service, lambda found: found.total("fraud_in_flight") == 0 and found.total("fraud_shed_total") == 6
    )
    expect_counts(service, after, full, [("fraud_shed_total", 6, {})])
    rig.expect(service, rig.hot[:3], "cached")


def frees_places(rig):
    """Two callers who stop in the middle of their payment, one who waits for the store: then all three are gone."""
    (slow,) = rig.stored(1)
    service = rig.ready(LOOKUP_TIMEOUT_MS="20000", MAX_IN_FLIGHT="3")
    rig.between.held.add(slow.payer_id)
    lost = [service.connect(), service.connect(), service.connect()]
    try:
        for case, caller, share in zip((*rig.hot[:2], slow), lost, (0.5, 0.0, 1.0), strict=True):
            body = json.dumps(case.payment).encode()
            head = (*HEAD, f"Content-Length: {len(body)}", "", "")
            caller.sendall("\r\n".join(head).encode() + body[: int(share * len(body))])
        expect_in_flight(
            service, 3, "while two payments are half here and one waits for the store",
            "A payment has its place from its first byte: count it before you read its body.",
        )  # fmt: skip
        post(service, rig.hot[3], 3).expect(
            status=503,
            hint="Whoever sends slowly holds a place too; otherwise many of them are a way around the limit.",
        )
    finally:
        for caller in lost:
            caller.close()
        rig.between.held.clear()
    expect_in_flight(
        service, 0, "when the three callers have hung up",
        "Whatever ends a request, its place must be free again: `try` … `finally`.",
    )  # fmt: skip
    rig.expect(service, rig.hot[:4], "cached")


def finishes(rig):
    (slow,) = rig.stored(1)
    service = rig.ready(LOOKUP_TIMEOUT_MS="20000")
    with rig.held(service, [slow]) as [last]:
        while not rig.between.asked[slow.payer_id] and not last.done():
            time.sleep(0.01)
        service.signal("SIGTERM")
        time.sleep(0.3)
    ended = service.stop("SIGTERM", timeout=5)
    ended.require(not ended.killed, wanted="the process ends", got="it is still running after 5 s")


def computes_in_one_thread(rig):
    service = replace(rig, model=heavy(rig.model, times=48)).ready()
    bodies = [case.payment for case in rig.hot]
    service.load("POST", "/predict", bodies=bodies, requests=20)
    before = watching.cpu_by_thread(rig.work)
    service.load("POST", "/predict", bodies=bodies, requests=60)
    share = watching.busiest_share(before, watching.cpu_by_thread(rig.work))
    renamed(service.get("/healthz"), "60 POST /predict one after the other, with a large model").require(
        share >= 0.68,
        wanted="one thread that does the work",
        got="several threads that share it",
        hint="onnxruntime starts a thread per core unless its SessionOptions say otherwise; idle ones spin.",
        measured=f"the busiest thread used {share:.0%} of the CPU time",
    )
