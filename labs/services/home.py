"""Where the services of one learner keep what they need: a folder for each, below `<work>/.services`.

    redis/lock          held by the keeper for as long as the service runs: the one proof that it runs
    redis/record.json   written by the keeper: its process, the port, the tier; gone when it was ended on purpose
    redis/log           what the service printed (bounded)
    redis/data/         what it stored

A lock is the kernel's: it ends with the process that holds it, however that ended, and it cannot be mistaken for
another process that got the same number, nor for one of before the clock was set.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from labs.workspace import write_whole

SCHEMA_VERSION = 1
TAIL_BYTES = 4000
TOKEN = "LABS_SERVICE"  # the variable which marks every process of a service
GRACE_SECONDS = 8.0


@dataclass(frozen=True)
class Running:
    """One running service.

    `keeper`: the process that holds it; 0 when no process of ours does (a file, somebody's cluster).
    `token`: what marks all of its processes.
    """

    name: str
    tier: str
    port: int = 0
    keeper: int = 0
    token: str = ""


@dataclass(frozen=True)
class Home:
    """The folder of one service."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def running(self) -> Running | None:
        """The service, if it runs; None if not, whatever the record says."""
        recorded = self.recorded()
        return recorded if recorded and (self._held() or not recorded.keeper) else None

    def recorded(self) -> Running | None:
        """What the last keeper wrote; None if nothing, or nothing that can be read."""
        try:
            body = json.loads((self.folder / "record.json").read_text(encoding="utf-8"))
            if body.pop("schema") != SCHEMA_VERSION:
                return None
            return Running(**body)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def record(self, running: Running) -> None:
        write_whole(self.folder / "record.json", json.dumps({"schema": SCHEMA_VERSION, **asdict(running)}))
        if running.port:
            write_whole(self.folder / "port", str(running.port))

    def forget(self) -> None:
        """No record: the service is not meant to run."""
        (self.folder / "record.json").unlink(missing_ok=True)

    @property
    def died(self) -> bool:
        """It is meant to run, and does not."""
        return self.recorded() is not None and self.running() is None

    @property
    def last_port(self) -> int:
        """The port of last time, so that an address lasts; 0 if there is none."""
        try:
            return int((self.folder / "port").read_text())
        except (OSError, ValueError):
            return 0

    def last_lines(self, count: int = 5) -> str:
        """The end of the log."""
        try:
            with open(self.log, "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - TAIL_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-count:])

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let one command at a time start or end this service; others wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "starting", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def hold(self) -> int | None:
        """Take the lock for the rest of this process's life; None if another process has it."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def _held(self) -> bool:
        try:
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False
