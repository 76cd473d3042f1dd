"""Nukkad Pay's fraud service.

Run it:  MODEL_PATH=fraud.onnx uvicorn app:app --reload

Every route answers 501 ("not started") for now. The README says what each must do.
"""

import os
from pathlib import Path

from fastapi import FastAPI, HTTPException

app = FastAPI(title="Nukkad Pay fraud service")

# A model may be missing when the process starts, and arrive later.
MODEL_PATH = Path(os.environ.get("MODEL_PATH", "fraud.onnx"))


def read_metadata(path: Path) -> dict[str, str]:
    """What a model file says about itself: `version`, `features`, `channels` and `threshold`, all as text.

    This much is given, so that you have seen onnxruntime once:

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        rows = numpy.array([[...]], dtype=numpy.float32)       # one row per transaction, one column per feature
        labels, probabilities = session.run(["label", "probabilities"], {"features": rows})
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.get_modelmeta().custom_metadata_map


@app.get("/healthz")
def healthz():
    raise HTTPException(501, "not started")


@app.get("/readyz")
def readyz():
    raise HTTPException(501, "not started")


@app.post("/predict")
def predict():
    raise HTTPException(501, "not started")


@app.post("/predict/batch")
def predict_batch():
    raise HTTPException(501, "not started")
