"""Times each prediction, around everything else; and counts places, for the route to take and to give back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

import metrics


class Full(Exception):
    """All places are taken."""


class Places:
    """At most `most` predictions at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        if self.taken >= self.most:
            metrics.SHED.inc()
            raise Full
        self.taken += 1
        metrics.IN_FLIGHT.set(self.taken)
        try:
            yield
        finally:
            self.taken -= 1
            metrics.IN_FLIGHT.set(self.taken)


class FrontDoor:
    """One clock around every prediction."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
            await self.app(scope, receive, noting_the_status)
        finally:
            metrics.REQUESTS.labels(status).inc()
            metrics.REQUEST_SECONDS.labels(status).observe(time.perf_counter() - started)
        return None
