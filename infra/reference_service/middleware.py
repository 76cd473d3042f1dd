"""Counts and times every request at the edge of the application, and refuses what is too much."""

from __future__ import annotations

import time

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_service.metrics import Metrics

# Probes and scrapes are no traffic: they would make a bad hour look better, and must work in one.
UNCOUNTED = ("/healthz", "/readyz", "/metrics")
# A label never holds a path as it was sent: a scan of a thousand paths would be a thousand time series.
ROUTES = ("/predict", "/labels")
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")


class Observed:
    """ASGI middleware; it measures until the last byte, which one that only sees the response object cannot."""

    def __init__(self, app: ASGIApp, metrics: Metrics, most_in_flight: int) -> None:
        self.app, self.metrics, self.most_in_flight = app, metrics, most_in_flight
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self.app(scope, receive, send)
            return
        status = 500  # what the server answers for us if an exception passes through

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        refused = self.in_flight >= self.most_in_flight
        self.in_flight += 1
        self.metrics.in_flight.set(self.in_flight)
        try:
            await (_overloaded if refused else self.app)(scope, receive, watch)
        finally:
            self.in_flight -= 1
            self.metrics.in_flight.set(self.in_flight)
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = scope["path"] if scope["path"] in ROUTES else "unmatched"
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.duration.labels(method, route).observe(time.perf_counter() - began)


async def _overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    reply = JSONResponse({"detail": "too many requests in flight"}, 503, headers={"Retry-After": "1"})
    await reply(scope, receive, send)
