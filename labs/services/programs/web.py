"""Serves an application on a socket that is given, by uvicorn."""

from __future__ import annotations

from typing import Any

KEEP_ALIVE = 75
"""Seconds. uvicorn's own are 5, as long as httpx keeps an idle connection: what is sent just then gets no answer."""


def serve(application: str, socket: int, **options: Any) -> None:
    """Come back when it was told to end. `socket` is the number of its file; `options` are uvicorn's."""
    import uvicorn

    uvicorn.run(application, fd=socket, log_level="warning", timeout_keep_alive=KEEP_ALIVE, **options)
