"""The routes. Start it with `uvicorn --app-dir infra --factory reference_service.app:create_app`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reference_service.decisions import Decided, Decisions
from reference_service.metrics import Metrics
from reference_service.middleware import Observed
from reference_service.schemas import Labels, LabelsTaken, Prediction, Transaction
from reference_service.scoring import problems, score
from reference_service.settings import Settings


def create_app(settings: Settings | None = None, now: Callable[[], float] = time.time) -> FastAPI:
    """
    Args:
        settings: by default those of the environment.
        now: Unix time in seconds.
    """
    settings = settings or Settings.from_environment(os.environ)
    metrics = Metrics(settings, now)
    decisions = Decisions(metrics, settings.remembered_decisions)
    app = FastAPI(title="fraud (reference)", version=settings.model_version)
    app.add_middleware(Observed, metrics=metrics, most_in_flight=settings.most_in_flight)

    @app.exception_handler(RequestValidationError)
    async def refused(request: Request, error: RequestValidationError) -> JSONResponse:
        """Where the mistake is, without a word of what was sent: payments do not belong in somebody's logs."""
        detail = [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()]
        return JSONResponse({"detail": detail}, 422)

    # The scorecard is arithmetic on one row, shorter than a change of threads: it may stay on the event loop.
    @app.post("/predict")
    async def predict(transaction: Transaction) -> Prediction:
        probability = score(transaction)
        decision = "block" if probability >= settings.threshold else "allow"
        rupees = transaction.amount_paise / 100
        metrics.score.labels(settings.model_version).observe(probability)
        metrics.decisions.labels(decision, settings.model_version).inc()
        metrics.payments.labels(decision).inc(rupees)
        for feature, problem in problems(transaction):
            metrics.feature_problems.labels(feature, problem).inc()
        for view, event_time in transaction.feature_times.items():
            metrics.looked_up(view, event_time)
        decisions.remember(transaction.transaction_id, Decided(decision, rupees, now()))
        return Prediction(
            transaction_id=transaction.transaction_id,
            fraud_probability=probability,
            decision=decision,
            model_version=settings.model_version,
        )

    @app.post("/labels")
    async def labels(arrived: Labels) -> LabelsTaken:
        matched = sum(decisions.settle(label.transaction_id, label.is_fraud) for label in arrived.labels)
        return LabelsTaken(matched=matched, unmatched=len(arrived.labels) - matched)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ready", "model_version": settings.model_version}

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
