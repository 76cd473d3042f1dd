"""How one knows that a service answers: one cheap question over loopback."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Callable
from typing import Protocol

PATIENCE = 2.0  # seconds for one question
POSTGRES_VERSION_3 = 196608  # https://www.postgresql.org/docs/current/protocol-message-formats.html


class Somewhere(Protocol):
    @property
    def port(self) -> int: ...


def http_status(port: int, path: str, body: bytes | None = None) -> int:
    """The status of `GET path`, or of a POST of this JSON; 0 when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def get(path: str) -> Callable[[Somewhere], bool]:
    return lambda spot: http_status(spot.port, path) == 200


def post(path: str, body: bytes) -> Callable[[Somewhere], bool]:
    return lambda spot: http_status(spot.port, path, body) == 200


def redis(spot: Somewhere) -> bool:
    """It says PONG, or that it wants a password first."""
    return _said(spot.port, b"*1\r\n$4\r\nPING\r\n").startswith((b"+PONG", b"-NOAUTH"))


def postgres(spot: Somewhere) -> bool:
    """It asks for a password (R). While it starts or recovers it answers with an error (E)."""
    words = b"user\0nukkad\0database\0postgres\0\0"
    return _said(spot.port, struct.pack("!ii", len(words) + 8, POSTGRES_VERSION_3) + words).startswith(b"R")


def _said(port: int, question: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(question)
            return connection.recv(64)
    except OSError:
        return b""
