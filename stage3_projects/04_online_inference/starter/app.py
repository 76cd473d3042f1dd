"""Nukkad Pay's online fraud service: a payment in, a probability out, with the payer's features looked up here.

Run it:  MODEL_PATH=fraud.onnx REDIS_URL=redis://127.0.0.1:6379/0 uvicorn app:app --reload

Every route answers 501 ("not started") for now. The README says what each must do.
"""

from fastapi import FastAPI, HTTPException

from settings import Settings

settings = Settings.from_environment()  # the limits of the contract, read from the environment
app = FastAPI(title="Nukkad Pay online fraud service")


@app.get("/healthz")
async def healthz():
    raise HTTPException(501, "not started")


@app.get("/readyz")
async def readyz():
    raise HTTPException(501, "not started")


@app.post("/predict")
async def predict():
    raise HTTPException(501, "not started")


@app.get("/metrics")
async def metrics():
    raise HTTPException(501, "not started")
