"""Turns away what is too large or not JSON before anything parses it."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class BodyLimits:
    """ASGI middleware: 413 for a body above `max_bytes`, 415 for a POST that is not `application/json`.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        if not _is_json(scope):
            refusal = JSONResponse({"detail": "Send the body as application/json."}, 415)
            return await refusal(scope, receive, send)
        length = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        if length > self.max_bytes:
            refusal = JSONResponse({"detail": f"The body is larger than {self.max_bytes} bytes."}, 413)
            return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


def _is_json(scope: Scope) -> bool:
    content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return content_type.split(b";", 1)[0].strip().lower() == b"application/json"


