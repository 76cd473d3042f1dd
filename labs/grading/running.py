"""One process in a sandbox, as the judge sees it, and what it has printed."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labs.grading import wire

if TYPE_CHECKING:
    from labs.grading.sandbox import Sandbox

KEEP_OUTPUT = 256 * 2**10  # of each stream, from its beginning, and as much from its end


@dataclass
class Stream:
    """What a process wrote to one stream: all counted, the beginning and the end kept."""

    limit: int
    total: int = 0
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = KEEP_OUTPUT - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        if data:
            self.tail = (self.tail + data)[-KEEP_OUTPUT:]

    def text(self) -> str:
        gap = self.total - len(self.head) - len(self.tail)
        between = f"\n… {gap} bytes left out …\n".encode() if gap > 0 else b""
        return bytes(self.head + between + self.tail).decode("utf-8", "replace")


class Running:
    """One process in the sandbox."""

    def __init__(
        self, sandbox: Sandbox, name: int, out: int, err: int, channel: socket.socket | None
    ) -> None:
        self.sandbox = sandbox
        self.name = name
        self.channel = channel
        self.status: int | None = None
        self.cpu = 0.0
        self.killed = ""
        self.trouble = ""
        self.started = time.monotonic()
        self.ended_at = 0.0
        self.ended = threading.Event()
        limit = sandbox.limits.output_mb * 2**20
        self.stdout, self.stderr = Stream(limit), Stream(limit)
        self._reader = threading.Thread(target=self._read, args=(out, err), daemon=True)
        self._reader.start()

    def _read(self, out: int, err: int) -> None:
        """Drain both streams into bounded memory, whatever comes; past the limit, end the process."""
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ, self.stdout)
            selector.register(err, selectors.EVENT_READ, self.stderr)
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, 2**16)
                    if data:
                        key.data.add(data)
                        if key.data.total > key.data.limit and not self.killed:
                            self.kill("output")
                    else:
                        selector.unregister(key.fd)
                        os.close(key.fd)

    @property
    def alive(self) -> bool:
        return not self.ended.is_set()

    def signal(self, number: int, group: bool = False) -> None:
        if self.alive:
            self.sandbox.order({"signal": int(number), "to": self.name, "group": group})

    def kill(self, reason: str) -> None:
        self.killed = self.killed or reason
        self.sandbox.out_of_time |= reason == "time"
        with contextlib.suppress(OSError, wire.WireError):
            self.signal(signal.SIGKILL, group=True)

    def wait(self, timeout: float) -> bool:
        """True when it has ended within `timeout` seconds and what it printed has been read."""
        if not self.ended.wait(timeout):
            return False
        if self.status == -signal.SIGKILL and not self.killed:
            self.killed = self.sandbox.reason()
        self._reader.join(0.5)  # a child of its own may hold the stream open: do not wait for that
        return True
