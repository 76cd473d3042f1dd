"""The embedded Redis: fakeredis. It keeps everything in memory and forgets it when it ends."""

from __future__ import annotations

import socket
import sys

from fakeredis import TcpFakeServer


def main(argv: list[str]) -> int:
    listener = socket.socket(fileno=int(argv[0]))
    server = TcpFakeServer(("127.0.0.1", 0), bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_address = listener.getsockname()
    server.daemon_threads = True
    server.serve_forever(poll_interval=0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
