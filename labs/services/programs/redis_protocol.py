"""The embedded Redis: fakeredis. It keeps everything in memory and forgets it when it ends.

Three things of its TCP server are mended here: a real Redis answers an error (NOSCRIPT, WRONGTYPE) and keeps the
connection; its errors begin with their code, once; and it has the patience to send a reply that is larger than the
socket's buffer.
"""

from __future__ import annotations

import select
import socket
import sys
from typing import Any

from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler
from fakeredis._helpers import SimpleError
from redis.exceptions import ResponseError


class Connection(TCPFakeRequestHandler):
    def setup(self) -> None:
        super().setup()
        read = self.current_client.read_response

        def answer(*args: Any, **options: Any) -> Any:
            try:
                return read(*args, **options)
            except ResponseError as error:
                return _with_one_code(error)

        self.current_client.read_response = answer  # type: ignore[method-assign]
        self.writer.writer = Patient(self.connection)  # type: ignore[assignment]


def _with_one_code(error: ResponseError) -> Exception:
    """`WRONGTYPE …` as it is; fakeredis would send `ERR WRONGTYPE …`. It adds the code to those that have none."""
    code = str(error).partition(" ")[0]
    return SimpleError(str(error)) if code.isalpha() and code.isupper() else error


class Patient:
    """Writes all of it to a socket that does not block."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.connection.send(rest) :]
            except BlockingIOError:
                select.select([], [self.connection], [], 1.0)

    def flush(self) -> None:
        """Nothing is kept back."""


def main(argv: list[str]) -> int:
    listener = socket.socket(fileno=int(argv[0]))
    server = TcpFakeServer(("127.0.0.1", 0), bind_and_activate=False)
    server.RequestHandlerClass = Connection
    server.socket.close()
    server.socket = listener
    server.server_address = listener.getsockname()
    server.daemon_threads = True
    server.serve_forever(poll_interval=0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
