"""The fraud service in one file, in FastAPI's usual ways: `def` routes in its threads, dependencies, handlers."""

import json
import os
import threading
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import numpy as np
import onnxruntime as ort
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

LIMIT = 1024 * 1024


class Transaction(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    transaction_id: int = Field(ge=0, le=9_007_199_254_740_991)
    amount_paise: int = Field(ge=1, le=10_000_000)
    channel: Literal["qr", "intent", "collect", "autopay"]
    hour_ist: int = Field(ge=0, le=23)
    payer_account_age_days: float = Field(ge=0, le=36_500)
    payer_txn_count_24h: int = Field(ge=0, le=100_000)
    payer_mean_amount_30d_paise: float | None = Field(ge=0, le=10_000_000)
    payer_merchant_is_new: bool
    device_age_days: float | None = Field(ge=0, le=36_500)
    distance_km: float | None = Field(ge=0, le=25_000)


class Batch(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    transactions: list[Transaction] = Field(min_length=1, max_length=500)


class Model:
    def __init__(self, path):
        self.session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        meta = self.session.get_modelmeta().custom_metadata_map
        self.version = meta["version"]
        self.threshold = float(meta["threshold"])
        self.features = json.loads(meta["features"])
        self.channels = json.loads(meta["channels"])
        strangers = set(self.features) - set(Transaction.model_fields)
        if strangers:
            raise ValueError(f"unknown features {strangers}")

    def score(self, transactions):
        table = np.empty((len(transactions), len(self.features)), dtype=np.float32)
        for row, transaction in enumerate(transactions):
            values = transaction.model_dump()
            values["channel"] = self.channels.index(transaction.channel)
            table[row] = [np.nan if values[name] is None else values[name] for name in self.features]
        _, probabilities = self.session.run(None, {"features": table})
        return [
            {
                "transaction_id": transaction.transaction_id,
                "fraud_probability": float(probability),
                "decision": "block" if probability >= self.threshold else "allow",
            }
            for transaction, probability in zip(transactions, probabilities[:, 1].astype(float), strict=True)
        ]


class State:
    model: Model | None = None
    reason = "model_loading"
    stop = threading.Event()


state = State()


def load_in_the_background():
    path = os.environ.get("MODEL_PATH", "fraud.onnx")
    while not state.stop.is_set():
        if not os.path.isfile(path):
            state.reason = "model_missing"
        else:
            try:
                state.model = Model(path)
                return
            except Exception as error:
                print("cannot load the model:", error)
                state.reason = "model_invalid"
        state.stop.wait(0.3)


@asynccontextmanager
async def lifespan(app):
    thread = threading.Thread(target=load_in_the_background, daemon=True)
    thread.start()
    yield
    state.stop.set()


def current_model():
    if state.model is None:
        raise HTTPException(status_code=503, detail="model not ready")
    return state.model


ModelDep = Annotated[Model, Depends(current_model)]
ERRORS = {code: {"description": "refused"} for code in (400, 413, 415, 422, 503)}
app = FastAPI(title="fraud", lifespan=lifespan)


@app.middleware("http")
async def check_body(request: Request, call_next):
    if request.method == "POST":
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            return JSONResponse({"detail": "send application/json"}, status_code=415)
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > LIMIT:
                return JSONResponse({"detail": "too large"}, status_code=413)
            chunks.append(chunk)
        request._body = b"".join(chunks)
    return await call_next(request)


@app.exception_handler(RequestValidationError)
def invalid(request: Request, error: RequestValidationError):
    detail = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


@app.get("/healthz")
def healthz():
    return {"status": "ok"}


@app.get("/readyz", responses={503: {"description": "not ready"}})
def readyz():
    if state.model is None:
        return JSONResponse({"status": "not ready", "reason": state.reason}, status_code=503)
    return {"status": "ready", "model_version": state.model.version}


@app.post("/predict", responses=ERRORS)
def predict(transaction: Transaction, model: ModelDep):
    return {**model.score([transaction])[0], "model_version": model.version}


@app.post("/predict/batch", responses=ERRORS)
def predict_batch(batch: Batch, model: ModelDep):
    return {"model_version": model.version, "predictions": model.score(batch.transactions)}
