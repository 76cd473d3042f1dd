"""The fraud service on Starlette and orjson alone, with the contract as a table and its checks written by hand."""

import asyncio
import concurrent.futures
import contextlib
import json
import math
import os
import pathlib

import numpy
import onnxruntime
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MAX_BYTES = 2**20
NUMBER, WHOLE, FLAG, CHOICE = "number", "integer", "boolean", "string"
CHANNELS = ["qr", "intent", "collect", "autopay"]

# name -> (kind, least, most, may be null)
FIELDS = {
    "transaction_id": (WHOLE, 0, 2**53 - 1, False),
    "amount_paise": (WHOLE, 1, 10_000_000, False),
    "channel": (CHOICE, None, None, False),
    "hour_ist": (WHOLE, 0, 23, False),
    "payer_account_age_days": (NUMBER, 0, 36_500, False),
    "payer_txn_count_24h": (WHOLE, 0, 100_000, False),
    "payer_mean_amount_30d_paise": (NUMBER, 0, 10_000_000, True),
    "payer_merchant_is_new": (FLAG, None, None, False),
    "device_age_days": (NUMBER, 0, 36_500, True),
    "distance_km": (NUMBER, 0, 25_000, True),
}


def complaint(name, value):
    """What is wrong with one value, or None."""
    kind, least, most, nullable = FIELDS[name]
    if value is None:
        return None if nullable else "may not be null"
    if kind == FLAG:
        return None if isinstance(value, bool) else "must be true or false"
    if kind == CHOICE:
        return None if value in CHANNELS else f"must be one of {CHANNELS}"
    allowed = int if kind == WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not math.isfinite(value):
        return f"must be a {kind}"
    return None if least <= value <= most else f"must be from {least} to {most}"


def complaints(transaction, where):
    if not isinstance(transaction, dict):
        return [{"loc": where, "msg": "must be an object"}]
    found = [{"loc": [*where, name], "msg": "is missing"} for name in FIELDS if name not in transaction]
    for name, value in transaction.items():
        message = complaint(name, value) if name in FIELDS else "is not a field of a transaction"
        if message:
            found.append({"loc": [*where, name], "msg": message})
    return found


def schema_of(name):
    kind, least, most, nullable = FIELDS[name]
    schema = {"type": [kind, "null"] if nullable else kind}
    if least is not None:
        schema |= {"minimum": least, "maximum": most}
    return schema | ({"enum": CHANNELS} if kind == CHOICE else {})


class Scorer:
    """A loaded model."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        about = self.session.get_modelmeta().custom_metadata_map
        self.version, self.threshold = about["version"], float(about["threshold"])
        self.columns = json.loads(about["features"])
        self.codes = {name: code for code, name in enumerate(json.loads(about["channels"]))}
        if not set(self.columns) < set(FIELDS):
            raise ValueError("the model wants columns that no request has")

    def __call__(self, transactions):
        values = [[self.codes.get(one[c], one[c]) for c in self.columns] for one in transactions]
        rows = numpy.array(values, dtype=numpy.float32)
        chances = self.session.run(["probabilities"], {"features": rows})[0][:, 1]
        return [
            {
                "transaction_id": one["transaction_id"],
                "fraud_probability": float(chance),
                "decision": "block" if float(chance) >= self.threshold else "allow",
            }
            for one, chance in zip(transactions, chances, strict=True)
        ]


def answer(body, status=200):
    return Response(orjson.dumps(body), status, media_type="application/json")


async def body_of(request: Request):
    """The JSON body, or an HTTPException that says why not."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body must be application/json")
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > MAX_BYTES:
            raise HTTPException(413, f"the body may have {MAX_BYTES} bytes")
    try:
        return orjson.loads(bytes(received))
    except orjson.JSONDecodeError:
        raise HTTPException(400, "the body is no JSON") from None


async def refused(request, error):
    return answer({"detail": error.detail}, error.status_code)


def scorer_of(request):
    if request.app.state.scorer is None:
        raise HTTPException(503, "no model yet")
    return request.app.state.scorer


async def healthz(request):
    return answer({"status": "ok"})


async def readyz(request):
    state = request.app.state
    if state.scorer is None:
        return answer({"status": "not ready", "reason": state.reason}, 503)
    return answer({"status": "ready", "model_version": state.scorer.version})


async def predict(request):
    scorer, transaction = scorer_of(request), await body_of(request)
    if wrong := complaints(transaction, []):
        return answer({"detail": wrong}, 422)
    return answer({**scorer([transaction])[0], "model_version": scorer.version})


async def predict_batch(request):
    scorer, body = scorer_of(request), await body_of(request)
    rows = body.get("transactions") if isinstance(body, dict) and set(body) == {"transactions"} else None
    if not isinstance(rows, list) or not 1 <= len(rows) <= 500:
        return answer({"detail": [{"loc": ["transactions"], "msg": "must hold 1 to 500 transactions"}]}, 422)
    wrong = [one for number, row in enumerate(rows) for one in complaints(row, ["transactions", number])]
    if wrong:
        return answer({"detail": wrong[:50]}, 422)
    loop = asyncio.get_running_loop()
    scores = await loop.run_in_executor(request.app.state.pool, scorer, rows)
    return answer({"model_version": scorer.version, "predictions": scores})


def document():
    transaction = {
        "type": "object",
        "properties": {name: schema_of(name) for name in FIELDS},
        "required": list(FIELDS),
        "additionalProperties": False,
    }
    batch = {
        "type": "object",
        "properties": {
            "transactions": {"type": "array", "minItems": 1, "maxItems": 500, "items": transaction}
        },
        "required": ["transactions"],
        "additionalProperties": False,
    }

    def takes(schema):
        refusals = {str(code): {"description": "refused"} for code in (400, 413, 415, 422, 503)}
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        return {"post": {"requestBody": body, "responses": {"200": {"description": "scored"}, **refusals}}}

    paths = {
        "/healthz": {"get": {"responses": {"200": {"description": "alive"}}}},
        "/readyz": {
            "get": {"responses": {"200": {"description": "ready"}, "503": {"description": "not ready"}}}
        },
        "/predict": takes(transaction),
        "/predict/batch": takes(batch),
    }
    return {"openapi": "3.1.0", "info": {"title": "fraud", "version": "1"}, "paths": paths}


async def openapi(request):
    return answer(document())


async def fetch_model(state):
    path = pathlib.Path(os.environ.get("MODEL_PATH", "fraud.onnx"))
    while state.scorer is None:
        try:
            if path.exists():
                state.scorer = await asyncio.get_running_loop().run_in_executor(state.pool, Scorer, path)
            else:
                state.reason = "model_missing"
        except Exception as error:
            state.reason = "model_invalid"
            print("model refused:", repr(error))
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.scorer, app.state.reason = None, "model_loading"
    app.state.pool = concurrent.futures.ThreadPoolExecutor(2)
    task = asyncio.create_task(fetch_model(app.state))
    yield
    task.cancel()
    app.state.pool.shutdown(wait=True)


app = Starlette(
    lifespan=lifespan,
    exception_handlers={HTTPException: refused},
    routes=[
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/predict", predict, methods=["POST"]),
        Route("/predict/batch", predict_batch, methods=["POST"]),
        Route("/openapi.json", openapi),
    ],
)
