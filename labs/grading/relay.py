"""Carries bytes between a socket that listens inside a sandbox and a service of ours outside of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

CHUNK = 64 * 1024
HERE = "127.0.0.1"


def relay(listener: socket.socket, port: int) -> None:
    """Pass every connection that `listener` takes on to this port of 127.0.0.1, for as long as the process lives."""
    threading.Thread(target=lambda: asyncio.run(_serve(listener, port)), daemon=True).start()


async def _serve(listener: socket.socket, port: int) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(HERE, port)
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        writer.close()

    server = await asyncio.start_server(carry, sock=listener)
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side has said all; then the other hears that."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
