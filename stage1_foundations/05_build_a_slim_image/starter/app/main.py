"""Nukkad Pay's fraud service: one payment in, a probability of fraud out.

Run it at home:  uvicorn app.main:app --reload
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from app.rules import load_rules
from app.scorecard import Scorecard

# Relative to the folder in which the service is started, unless it is an absolute path.
MODEL_PATH = Path(os.environ.get("MODEL_PATH", "model/fraud.json"))


class Payment(BaseModel):
    """What is known of one payment. Money is in paise, time in hours and days."""

    model_config = ConfigDict(extra="forbid")

    amount_paise: int = Field(ge=1, le=10_000_000)
    hour_ist: int = Field(ge=0, le=23)
    payer_account_age_days: float = Field(ge=0, le=36_500)
    payer_txn_count_24h: int = Field(ge=0, le=100_000)


def say(event: str, **more: object) -> None:
    """One line of JSON on standard output: what a container's log is made of."""
    print(json.dumps({"service": "fraud", "event": event, **more}), flush=True)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.scorecard = Scorecard.read(MODEL_PATH)
    app.state.rules = load_rules()
    say(
        "ready",
        model=app.state.scorecard.version,
        rules=sorted(app.state.rules),
        python=sys.version.split()[0],
    )
    yield
    say("drained")  # only reached when the process hears SIGTERM, and ends in order


app = FastAPI(title="Nukkad Pay fraud service", lifespan=lifespan, docs_url=None, redoc_url=None)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Does the service work? Anything but 200 means: replace it."""
    if not app.state.scorecard.is_sane():
        raise HTTPException(503, "the model gives no probability")
    return {"status": "ok", "model_version": app.state.scorecard.version}


@app.post("/predict")
async def predict(payment: Payment) -> dict[str, object]:
    """The scorecard's probability, and the names of the rules that fire."""
    known = payment.model_dump()
    fired = sorted(name for name, rule in app.state.rules.items() if rule(known))
    return {"fraud_probability": app.state.scorecard.probability(known), "rules": fired}
