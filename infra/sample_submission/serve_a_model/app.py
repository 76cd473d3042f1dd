"""A first try at `serve_a_model`, as a learner might hand it in: it answers, and it is not finished.

`make start` grades it, so that the first feedback anybody sees is real. It is not an example to follow.
"""

import json
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel

app = FastAPI()


class ModelMissing(Exception):
    pass


class Model:
    def __init__(self, path: str):
        if not os.path.exists(path):
            raise ModelMissing(path)
        self.session = onnxruntime.InferenceSession(path)
        about = self.session.get_modelmeta().custom_metadata_map
        self.version = about["version"]
        self.features = json.loads(about["features"])
        self.channels = json.loads(about["channels"])
        self.threshold = float(about["threshold"])


loaded: Model | None = None


def model() -> Model:
    global loaded
    if loaded is None:
        loaded = Model(os.environ.get("MODEL_PATH", "fraud.onnx"))
    return loaded


class Transaction(BaseModel):
    transaction_id: int
    amount_paise: int
    channel: str
    hour_ist: int
    payer_account_age_days: float
    payer_txn_count_24h: int
    payer_mean_amount_30d_paise: float | None
    payer_merchant_is_new: bool
    device_age_days: float | None
    distance_km: float | None


class Batch(BaseModel):
    transactions: list[Transaction]


def score(transaction: Transaction) -> dict:
    try:
        fraud = model()
    except Exception:
        raise HTTPException(503, "The model is not loaded.") from None
    values = transaction.model_dump()
    values["channel"] = fraud.channels.index(transaction.channel)
    row = np.array([[values[name] for name in fraud.features]], dtype=np.float32)
    _, probabilities = fraud.session.run(["label", "probabilities"], {"features": row})
    probability = float(probabilities[0, 1])
    return {
        "transaction_id": transaction.transaction_id,
        "fraud_probability": probability,
        "decision": "block" if probability >= fraud.threshold else "allow",
    }


@app.get("/healthz")
def healthz():
    return {"status": "ok"}


@app.get("/readyz")
def readyz():
    try:
        return {"status": "ready", "model_version": model().version}
    except ModelMissing:
        return JSONResponse({"status": "not ready", "reason": "model_missing"}, 503)
    except Exception:
        return JSONResponse({"status": "not ready", "reason": "model_invalid"}, 503)


@app.post("/predict")
def predict(transaction: Transaction):
    answer = score(transaction)
    return {"model_version": model().version, **answer}


@app.post("/predict/batch")
def predict_batch(batch: Batch):
    answers = [score(transaction) for transaction in batch.transactions]
    return {"model_version": model().version, "predictions": answers}
