"""How a service begins: before its model is there, before its cache is warm, without its store."""

from __future__ import annotations

import time
from pathlib import Path

import payers
import watching
from between import HOLD, PASS
from rig import post

READY_AFTER_THE_MODEL = 6.0  # seconds; the contract says: tried again at least once a second
WARM_UP, LATE = 3, 5  # seconds: what the service is told, and how much later a busy machine may be
WHAT_READY_MEANS = "Ready means: the first request is as fast as the others. Wait for the warm-up."


def waits_for_its_cache(rig):
    rig.between.mode = HOLD
    service = rig.serve(WARM_UP_SECONDS="120")
    for _ in range(400):
        reply = service.get("/readyz").expect(status=503, keys={"reason"}, hint=WHAT_READY_MEANS)
        if reply.json()["reason"] == "cache":
            break
        time.sleep(0.02)
    reply.expect(json={"status": "not ready", "reason": "cache"})
    service.get("/healthz").expect(status=200)
    time.sleep(0.4)
    service.get("/readyz").expect(status=503, hint=WHAT_READY_MEANS)
    rig.between.mode = PASS
    service.poll("/readyz", timeout=watching.PATIENCE)
    rig.expect(service, rig.hot[:1], "cached")


def waits_for_its_model(rig):
    path = Path(rig.work.give("late/about.txt", "The model comes later.")).with_name("fraud.onnx")
    service = rig.serve(MODEL_PATH=str(path))
    no_model = {"status": "not ready", "reason": "model"}
    for content in (None, rig.model.content[: len(rig.model.content) // 2]):
        if content is not None:
            rig.work.give("late/fraud.onnx", content)
            time.sleep(0.5)
        service.get("/healthz").expect(status=200, json={"status": "ok"})
        service.get("/readyz").expect(status=503, json=no_model)
        expect_retry_after(post(service, rig.hot[0]).expect(status=503))
    rig.work.give("late/fraud.onnx", rig.model.content)
    service.poll("/readyz", timeout=READY_AFTER_THE_MODEL).expect(
        json={"status": "ready", "model_version": rig.model.version}
    )
    rig.expect(service, rig.hot[:3], "cached")


def knows_its_hot_payers(rig, unusable):
    service = rig.ready()
    rig.expect(service, rig.hot, "cached")
    asked = sum(rig.between.asked[case.payer_id] for case in rig.hot)
    service.require(
        not asked,
        wanted="no question about a hot payer after the start",
        got="some",
        hint="A hot payer is in the cache from the start on.",
    )
    payers.put(rig.store, unusable)  # their features are right now
    rig.expect(service, unusable, "fresh")


def starts_without_its_store(rig):
    rig.between.mode = HOLD
    began = time.monotonic()
    service = rig.serve(WARM_UP_SECONDS=str(WARM_UP), LOOKUP_TIMEOUT_MS="200")
    reply = service.poll("/readyz", timeout=watching.PATIENCE)
    took = time.monotonic() - began
    reply.require(
        took <= WARM_UP + LATE,
        wanted=f"status 200 once WARM_UP_SECONDS={WARM_UP} are over",
        got="a service that waits for the store for longer",
        hint="One limit around the whole warm-up, however often it tries.",
        measured=f"{took:.1f} s",
    )
    rig.expect_fallback(service, rig.hot[:1])


def expect_retry_after(reply):
    after = reply.headers.get("retry-after", "")
    reply.require(
        after.isdigit() and int(after) >= 1,
        wanted="a Retry-After of whole seconds, 1 or more",
        got=f"Retry-After `{after}`" if after else "none",
    )
