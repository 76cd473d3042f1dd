"""Nukkad Pay's fraud service: one transaction or a batch of them in, probabilities of fraud out.

Run it:  MODEL_PATH=fraud.onnx uvicorn app:app
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from body_limits import BodyLimits
from contract import (
    MAX_BODY_BYTES,
    Alive,
    Batch,
    BatchPrediction,
    InvalidRequest,
    NotReady,
    Prediction,
    Problem,
    Ready,
    Score,
    Transaction,
)
from fraud_model import FraudModel
from model_slot import ModelSlot
from strict_json import StrictJsonRoute

REFUSALS: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The body is larger than 1 MiB"},
    415: {"model": Problem, "description": "The body is not declared as application/json"},
    422: {"model": InvalidRequest, "description": "No JSON, or a field is missing, unknown or out of range"},
    503: {"model": Problem, "description": "No model is loaded yet"},
}

slot = ModelSlot(Path(os.environ.get("MODEL_PATH", "fraud.onnx")))


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    loading = asyncio.create_task(slot.keep_trying())
    while slot.model is None and slot.reason == "model_loading":  # long enough, surely
        await asyncio.sleep(0.01)
    yield
    loading.cancel()  # on SIGTERM uvicorn gets here after the last reply has left


# Without /docs and /redoc: their pages load scripts from elsewhere. /openapi.json stays.
app = FastAPI(
    title="Nukkad Pay fraud service", version="1.0.0", lifespan=lifespan, docs_url=None, redoc_url=None
)
app.router.route_class = StrictJsonRoute
app.add_middleware(BodyLimits, max_bytes=MAX_BODY_BYTES)


@app.post("/predict", responses=REFUSALS)
async def predict(transaction: Transaction) -> Prediction:
    """Score one transaction. The model takes microseconds, less than a thread would cost: so it runs right here."""
    model = slot.loaded()
    (probability,) = model.probabilities([transaction])
    return Prediction(
        transaction_id=transaction.transaction_id,
        fraud_probability=probability,
        decision=model.decide(probability),
        model_version=model.version,
    )


@app.post("/predict/batch", responses=REFUSALS)
async def predict_batch(batch: Batch) -> BatchPrediction:
    """Score many transactions, in a thread: nobody else may wait for a large batch."""
    return await asyncio.to_thread(score_batch, slot.loaded(), batch.transactions)


def score_batch(model: FraudModel, transactions: list[Transaction]) -> BatchPrediction:
    scores = [
        Score(
            transaction_id=one.transaction_id,
            fraud_probability=probability,
            decision=model.decide(probability),
        )
        for one, probability in zip(transactions, model.probabilities(transactions), strict=True)
    ]
    return BatchPrediction(model_version=model.version, predictions=scores)


@app.get("/healthz")
async def healthz() -> Alive:
    """Does the process live? If not, replace it. Whether a model is there does not matter here."""
    return Alive(status="ok")


@app.get("/readyz", response_model=Ready, responses={503: {"model": NotReady}})
async def readyz() -> Ready | JSONResponse:
    """May requests be sent here? If not, wait."""
    return Ready(status="ready", model_version=slot.model.version if slot.model else "loading")
