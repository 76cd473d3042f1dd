"""What a server costs that only answers: the yardstick for the learner's service."""

from fastapi import FastAPI

app = FastAPI()


@app.post("/predict")
async def predict() -> dict[str, int | float | str]:
    return {"transaction_id": 1, "fraud_probability": 0.5, "decision": "allow", "model_version": "none"}
