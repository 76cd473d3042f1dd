"""A relay between the learner's service and Redis. It can hold, delay, cut and garble what passes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections import Counter

HERE = "127.0.0.1"
CHUNK = 65_536
PAYER = re.compile(rb"fraud:payer:(\d+)")
COMMAND = re.compile(rb"(?:^|\r\n)\*\d+\r\n")
PASS, HOLD, CLOSE, HALF, LOADING = "pass", "hold", "close", "half", "loading"
TICK = 0.003  # seconds


class Between:
    """Listens on a port of its own and passes everything on to Redis, unless told otherwise.

    `mode` is for all connections: `hold` keeps questions until it changes, `close` hangs up, `half` gives the first
    half of an answer and then nothing, `loading` answers what a Redis says that reads its data from disk. Questions
    about a payer in `held` wait until it is taken out; `delays` has seconds by payer. `asked` counts by payer.
    """

    def __init__(self, url: str) -> None:
        self.port_of_redis = int(url.rpartition(":")[2].partition("/")[0])
        self.mode = PASS
        self.held: set[int] = set()
        self.delays: dict[int, float] = {}
        self.asked: Counter[int] = Counter()
        self._listener = socket.create_server((HERE, 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://{HERE}:{self.port}/0"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._listener.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.create_task(self._serve())
        self._loop.run_forever()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._carry, sock=self._listener)
        async with server:
            await server.serve_forever()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None
        with contextlib.suppress(OSError, asyncio.CancelledError):
            back, there = await asyncio.open_connection(HERE, self.port_of_redis)
            talk = [
                asyncio.ensure_future(self._ask(reader, there, writer)),
                asyncio.ensure_future(self._answer(back, writer)),
            ]
            await asyncio.wait(talk, return_when=asyncio.FIRST_COMPLETED)
            for task in talk:
                task.cancel()
        for end in (writer, there):
            if end is not None:
                end.close()

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            payers = [int(name) for name in PAYER.findall(data)]
            self.asked.update(payers)
            if wait := max((self.delays.get(payer, 0.0) for payer in payers), default=0.0):
                until = time.monotonic() + wait
                while (left := until - time.monotonic()) > 0:  # never early, so the grader knows the least
                    await asyncio.sleep(left)
            while self.mode == HOLD or not self.held.isdisjoint(payers):
                await asyncio.sleep(TICK)
            if self.mode == CLOSE:
                return
            if self.mode == LOADING:
                busy = b"-LOADING Redis is loading the dataset in memory\r\n"
                writer.write(busy * len(COMMAND.findall(data)))
                continue
            there.write(data)
            await there.drain()

    async def _answer(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await back.read(CHUNK):
            if self.mode == HALF:
                writer.write(data[: len(data) // 2])
                await asyncio.sleep(3600)
            writer.write(data)
            await writer.drain()
