"""Plain data crosses the pipe unchanged; everything else is refused; hostile frames do no harm."""

from __future__ import annotations

import datetime as dt
import math
import socket
import struct
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.grading import plain as plain_data
from labs.grading import wire

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


def cross(value: Any) -> Any:
    left, right = socket.socketpair()
    with left, right:
        sender = threading.Thread(target=wire.send, args=(left, value, 10))
        sender.start()
        received = wire.receive(right, 10)
        sender.join()
    return received


@given(plain)
def test_plain_data_comes_back_equal(value: Any) -> None:
    assert wire_round(value) == _surrogates_replaced(value)


def wire_round(value: Any) -> Any:
    frame = wire.encode(value)
    _, length, count = wire.HEADER.unpack(frame[: wire.HEADER.size])
    start = wire.HEADER.size + 8 * count
    lengths = struct.unpack(f"<{count}Q", frame[wire.HEADER.size : start])
    text, rest = frame[start : start + length], frame[start + length :]
    buffers = []
    for size in lengths:
        buffers.append(bytearray(rest[:size]))
        rest = rest[size:]
    return wire.decode(text, buffers)


def _surrogates_replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_surrogates_replaced(item) for item in value]
    if isinstance(value, dict):
        return {_surrogates_replaced(key): _surrogates_replaced(item) for key, item in value.items()}
    return value


def test_frames_arrays_and_odd_numbers() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.5, math.nan, math.inf],
            "text": ["a", None, "ü"],
            "kind": pd.Categorical(["x", None, "y"]),
            "time": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
            "zone": pd.date_range("2026-01-01", periods=3, tz="Asia/Kolkata"),
            "small": np.array([1, 2, 3], dtype="int8"),
        }
    )
    back = cross(frame)
    pd.testing.assert_frame_equal(back.drop(columns="zone"), frame.drop(columns="zone"))
    assert (back["zone"] == frame["zone"].dt.tz_convert("UTC")).all()
    array = np.arange(24, dtype=">i4").reshape(2, 3, 4)
    assert (cross(array) == array).all()
    assert math.isnan(cross(float("nan")))
    assert cross({"a": (1, 2), "b": {3}, "c": np.float32(0.5), "d": dt.timedelta(seconds=3)}) == {
        "a": [1, 2],
        "b": {3},
        "c": 0.5,
        "d": dt.timedelta(seconds=3),
    }


class Anything:
    def __eq__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize(
    "value",
    [
        Anything(),
        [Anything()],
        np.array([Anything()]),
        {"a": lambda: 1},
        pd.Period("2026-01"),
        np.zeros(1, dtype="V8"),
    ],
    ids=["object", "in a list", "in an array", "a function", "a period", "raw bytes"],
)
def test_what_is_no_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(wire.WireError, match="no plain data"):
        wire.encode(value)


def test_depth_is_bounded_on_both_sides() -> None:
    deep: list[Any] = []
    for _ in range(plain_data.MAX_DEPTH + 2):
        deep = [deep]
    with pytest.raises(wire.WireError, match="deep"):
        wire.encode(deep)
    with pytest.raises(wire.WireError):
        wire.decode(b"[" * 900 + b"]" * 900, [])


@pytest.mark.parametrize(
    "frame",
    [
        b"JUNK" + bytes(100),
        wire.HEADER.pack(wire.MAGIC, 2**31, 0),
        wire.HEADER.pack(wire.MAGIC, 2, 1) + struct.pack("<Q", 2**62) + b"{}",
        wire.HEADER.pack(wire.MAGIC, 2, 2**31),
        wire.HEADER.pack(wire.MAGIC, 3, 0) + b"nan",
        wire.HEADER.pack(wire.MAGIC, 31, 0) + b'{"$array": [0, "<f8", [1, 2]] }',
        wire.HEADER.pack(wire.MAGIC, 27, 1)
        + struct.pack("<Q", 8)
        + b'{"$array":[0,"O",[1]]     }'
        + bytes(8),
        wire.HEADER.pack(wire.MAGIC, 29, 0) + b'{"$category": [["a"], [0, 5]]}'[:29],
        wire.HEADER.pack(wire.MAGIC, 26, 0) + b'{"$frame":[["a"],[[1]],99]}'[:26],
    ],
    ids=["magic", "huge text", "huge buffer", "many buffers", "nan", "no buffer", "objects", "codes", "cut"],
)
def test_hostile_frames_are_refused(frame: bytes) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(frame)
        left.shutdown(socket.SHUT_WR)
        with pytest.raises((wire.WireError, wire.Closed)):
            wire.receive(right, 5)


def test_a_dripping_sender_meets_the_deadline() -> None:
    left, right = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        frame = wire.encode("x" * 1000)
        for byte in frame:
            if stop.wait(0.05):
                return
            left.send(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(TimeoutError):
        wire.receive(right, 0.3)
    stop.set()
    thread.join()
    left.close()
    right.close()


def test_a_reader_that_never_reads_does_not_hang_the_sender() -> None:
    left, right = socket.socketpair()
    with left, right, pytest.raises(TimeoutError):
        wire.send(left, bytes(50 * 2**20), timeout=0.3)


def test_a_receive_without_a_timeout_does_not_inherit_one() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(ours, "hello", timeout=0.05)
        answer = threading.Timer(0.3, lambda: wire.send(theirs, "late"))
        answer.start()
        assert wire.receive(ours) == "late"
        answer.join()
