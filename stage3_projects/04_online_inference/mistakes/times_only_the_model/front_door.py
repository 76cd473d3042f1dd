"""ASGI middleware around everything else: times each prediction, and turns away what is too much."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import metrics


class FrontDoor:
    """At most `max_in_flight` predictions at once. The next one hears 503 at once: it can go elsewhere, and a queue
    would only make everybody late. Only predictions count; health and metrics always answer."""

    def __init__(self, app: ASGIApp, max_in_flight: int) -> None:
        self.app = app
        self.max_in_flight = max_in_flight
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/predict" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        status = "500"

        async def noting_the_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        app = self.app
        admitted = self.in_flight < self.max_in_flight
        if not admitted:
            metrics.SHED.inc()
            app = JSONResponse({"detail": "Too many at once."}, 503, headers={"Retry-After": "1"})
        else:
            self.in_flight += 1
            metrics.IN_FLIGHT.set(self.in_flight)
        try:
            await app(scope, receive, noting_the_status)
        finally:
            if admitted:
                self.in_flight -= 1
                metrics.IN_FLIGHT.set(self.in_flight)
            metrics.REQUESTS.labels(status).inc()
        return None
