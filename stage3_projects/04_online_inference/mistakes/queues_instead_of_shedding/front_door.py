"""ASGI middleware around everything else: times each prediction, and turns away what is too much."""

from __future__ import annotations

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

import metrics


class FrontDoor:
    """At most `max_in_flight` predictions at once. The next one hears 503 at once: it can go elsewhere, and a queue
    would only make everybody late. Only predictions count; health and metrics always answer."""

    def __init__(self, app: ASGIApp, max_in_flight: int) -> None:
        self.app = app
        self.places = asyncio.Semaphore(max_in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/predict" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        status = "500"

        async def noting_the_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            async with self.places:
                metrics.IN_FLIGHT.inc()
                try:
                    await self.app(scope, receive, noting_the_status)
                finally:
                    metrics.IN_FLIGHT.dec()
        finally:
            metrics.REQUESTS.labels(status).inc()
            metrics.REQUEST_SECONDS.labels(status).observe(time.perf_counter() - started)
        return None
