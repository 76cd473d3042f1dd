"""A command of the learner's that is running."""

from __future__ import annotations

import os
import signal
import threading
import time

from labs.grading.evidence import Finished, NotStarted
from labs.grading.running import Running
from labs.results import Finding

NOT_STARTED_EXIT = 75


class Process:
    """A command that is still running."""

    def __init__(self, did: str, running: Running) -> None:
        self.did = did
        self._running = running

    @property
    def alive(self) -> bool:
        return self._running.alive

    @property
    def stdout(self) -> str:
        return self._running.stdout.text()

    @property
    def stderr(self) -> str:
        return self._running.stderr.text()

    def signal(self, name: str, group: bool = False) -> None:
        """Send a signal by name ("SIGTERM"), to the process or to its whole group."""
        self._running.signal(signal.Signals[name], group)

    def wait(self, timeout: float = 20.0) -> Finished:
        """Wait for the end; after `timeout` seconds it is killed, and `killed` is "time"."""
        running = self._running
        if not running.wait(timeout):
            running.kill("time")
            running.wait(5)
        status = running.status if running.status is not None else -signal.SIGKILL
        finished = Finished(
            self.did,
            status=status,
            stdout=running.stdout.text(),
            stderr=running.stderr.text(),
            seconds=(running.ended_at or time.monotonic()) - running.started,
            killed=running.killed,
        )
        finished.output = (finished.stdout + finished.stderr)[-4000:]
        if status == NOT_STARTED_EXIT:
            raise NotStarted(Finding(self.did, "a command that does its work", "exit status 75: not started"))
        return finished


def pipe_with(data: bytes) -> int:
    """The read end of a pipe into which a thread writes `data`."""
    read, write = os.pipe()

    def pump() -> None:
        try:
            with os.fdopen(write, "wb") as file:
                file.write(data)
        except BrokenPipeError:
            pass

    threading.Thread(target=pump, daemon=True).start()
    return read


def start_hint(trouble: str) -> str:
    """What to do about a command that could not be started."""
    if trouble.startswith("not executable"):
        return "Make it executable: chmod +x, and give it a first line such as #!/usr/bin/env bash."
    return "Check the file's name, and its first line (#!…)."
