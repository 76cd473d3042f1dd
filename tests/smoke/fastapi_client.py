"""FastAPI: a typed route answers, refuses a wrong body with 422, and describes itself."""

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field


class Payment(BaseModel):
    amount_paise: int = Field(ge=1)
    note: str | None = None


app = FastAPI()


@app.post("/predict")
def predict(payment: Payment) -> dict[str, float]:
    return {"score": payment.amount_paise / 1000}


with TestClient(app) as client:
    assert client.post("/predict", json={"amount_paise": 500, "note": None}).json() == {"score": 0.5}
    assert client.post("/predict", json={"amount_paise": -1}).status_code == 422
    assert client.post("/predict", content=b"{").status_code == 422
    assert "/predict" in client.get("/openapi.json").json()["paths"]
