"""Plain data over a socket: how arguments reach a learner's code and results come back.

A frame is `LABS`, the length of a JSON text, the number of binary buffers and their lengths, then all of them.
The JSON holds plain values; arrays and bytes point at a buffer. Nothing is pickled and nothing is called: what
arrives is rebuilt from numbers and text, so an object that equals everything cannot exist on the reading side.
Sizes and depth are capped while reading, before anything is built.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import orjson

from labs.grading.plain import MAX_BUFFERS, WireError, rebuild, to_plain

__all__ = ["PATIENCE", "Closed", "WireError", "decode", "encode", "receive", "send"]

MAGIC = b"LABS"
HEADER = struct.Struct("<4sII")
MAX_FRAME = 512 * 2**20
PATIENCE = 60.0
"""Seconds that processes of ours wait for each other: one may not get the processor, where others take all of it."""


class Closed(ConnectionError):
    """The other side is gone."""


def send(sock: socket.socket, value: Any, timeout: float | None = None) -> None:
    """Send one value.

    Raises:
        WireError: it holds something that is no plain data; the message says what and where.
        TimeoutError, Closed: the other side does not read, or is gone.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    parts = _parts(value)
    try:
        for part in parts:
            sock.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            sock.sendall(part)
    except (BrokenPipeError, ConnectionResetError):
        raise Closed("the other side is gone") from None


def receive(sock: socket.socket, timeout: float | None = None, limit: int = MAX_FRAME) -> Any:
    """Receive one value; `timeout` bounds the whole frame, however slowly it drips.

    Raises:
        WireError: malformed, too large or too deep.
        TimeoutError, Closed: nothing whole came in time, or the other side is gone.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    magic, json_length, count = HEADER.unpack(_read(sock, HEADER.size, deadline))
    if magic != MAGIC or count > MAX_BUFFERS or json_length > limit:
        raise WireError("the reply is malformed or too large")
    lengths = struct.unpack(f"<{count}Q", _read(sock, 8 * count, deadline))
    if json_length + sum(lengths) > limit:
        raise WireError(f"the reply is larger than {limit // 2**20} MiB")
    text = _read(sock, json_length, deadline)
    buffers = [_read(sock, length, deadline) for length in lengths]
    return decode(text, buffers)


def _read(sock: socket.socket, count: int, deadline: float | None) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    done = 0
    while done < count:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        sock.settimeout(left)  # also without a deadline: an earlier send may have left its own
        try:
            got = sock.recv_into(view[done:])
        except ConnectionResetError:
            got = 0
        if not got:
            raise Closed("the other side is gone")
        done += got
    return data


def encode(value: Any) -> bytes:
    """One frame. See `send` for what it refuses."""
    return b"".join(_parts(value))


def _parts(value: Any) -> list[bytes | memoryview]:
    """A frame in pieces: the buffers of large arrays are sent from where they are."""
    buffers: list[bytes | memoryview] = []
    text = orjson.dumps(to_plain(value, buffers, 0))
    header = HEADER.pack(MAGIC, len(text), len(buffers))
    lengths = [memoryview(buffer).nbytes for buffer in buffers]
    return [header + struct.pack(f"<{len(lengths)}Q", *lengths) + text, *buffers]


def decode(text: bytes | bytearray, buffers: list[bytearray]) -> Any:
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WireError(f"the reply is malformed: {error}") from None
    return rebuild(tree, buffers, 0)
