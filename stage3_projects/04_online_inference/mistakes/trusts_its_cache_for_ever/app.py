"""Nukkad Pay's online fraud service: a payment in, a probability out, with the payer's features looked up here.

Run it:  MODEL_PATH=fraud.onnx REDIS_URL=redis://127.0.0.1:6379/0 uvicorn app:app
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

import metrics
from contract import Origin, Payment
from feature_store import FeatureStore, Unavailable, Unknown
from fraud_model import FraudModel
from front_door import FrontDoor
from payer_cache import PayerCache
from payer_features import FALLBACK, Invalid, PayerFeatures
from settings import Settings

RETRY_SECONDS = 0.2

log = logging.getLogger("uvicorn.error")
settings = Settings.from_environment()
cache = PayerCache(settings.cache_seconds)


class State:
    """What the service has so far. It is ready when both are there."""

    model: FraudModel | None = None
    warm = False
    store: FeatureStore


state = State()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    state.store = FeatureStore(settings.redis_url, settings.lookup_timeout_seconds)
    beginning = asyncio.gather(load_model(), warm_up())
    yield
    beginning.cancel()
    await state.store.close()


app = FastAPI(title="Nukkad Pay online fraud service", lifespan=lifespan, docs_url=None, redoc_url=None)
app.add_middleware(FrontDoor, max_in_flight=settings.max_in_flight)


async def load_model() -> None:
    while state.model is None:
        try:
            state.model = await asyncio.to_thread(FraudModel.load, settings.model_path)
        except Exception as error:
            log.warning("no model yet: %s: %s", type(error).__name__, error)
            await asyncio.sleep(RETRY_SECONDS)


async def warm_up() -> None:
    """Fill the cache with the hot payers. A store that stays silent must not keep us from starting for ever."""
    try:
        async with asyncio.timeout(settings.warm_up_seconds):
            while not state.warm:
                try:
                    await fill_cache()
                    state.warm = True
                except (OSError, RedisError) as error:
                    log.warning("cannot warm up yet: %s", type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
    except TimeoutError:
        log.error("starting with a cold cache")
    state.warm = True


async def fill_cache() -> None:
    read_at = time.monotonic()
    async for payer_id, features in state.store.hot_payers():
        cache.put(payer_id, features, read_at)


async def features_of(payer_id: int) -> tuple[PayerFeatures, Origin]:
    """The payer's features and where they come from. Always something, and always in time."""
    features = cache.get(payer_id)
    origin: Origin = "cached"
    if features is not None:
        metrics.CACHE_HIT.inc()
        return features, origin
    else:
        metrics.CACHE_MISS.inc()
        origin = "fresh"
        read_at = time.monotonic()
        try:
            features = await state.store.look_up(payer_id)
        except Unknown:
            return fall_back("missing")
        except Invalid:
            return fall_back("invalid")
        except Unavailable:
            return fall_back("unavailable")
        cache.put(payer_id, features, read_at)
    if time.time() - features.event_time > settings.stale_seconds:
        origin = "stale"
    return features, origin


def fall_back(reason: str) -> tuple[PayerFeatures, Origin]:
    metrics.FALLBACKS.labels(reason).inc()
    return FALLBACK, "fallback"


@app.post("/predict")
async def predict(payment: Payment) -> Response:
    """Score one payment. The model takes microseconds, less than a thread would cost: so it runs right here."""
    model = state.model
    if model is None:
        return JSONResponse({"detail": "No model yet."}, 503, headers={"Retry-After": "1"})
    features, origin = await features_of(payment.payer_id)
    probability = model.probability(payment, features)
    return answer(
        {
            "transaction_id": payment.transaction_id,
            "fraud_probability": probability,
            "decision": model.decide(probability),
            "model_version": model.version,
            "features": origin,
        }
    )


def answer(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/readyz")
async def readyz() -> Response:
    """May requests be sent here? Not before the model is loaded and the cache is warm."""
    if state.model is None or not state.warm:
        reason = "model" if state.model is None else "cache"
        return JSONResponse({"status": "not ready", "reason": reason}, 503)
    return answer({"status": "ready", "model_version": state.model.version})


@app.get("/metrics")
async def show_metrics() -> Response:
    return Response(generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
