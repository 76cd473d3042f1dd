"""Runs jobs at night. New: no job can fill the disk, and a job that fails does not stop the others."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

MOST_BYTES = 2_048  # of one file


class Night:
    """A list of jobs, each with a time of day."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: list[tuple[str, str, Callable[[], object]]] = []

    def at(self, clock: str, job: Callable[[], object], *, zone: str = "UTC") -> None:
        """Plan a job for a time of day, such as "01:30"."""
        self.jobs.append((clock, zone, job))

    def run_once(self) -> None:
        """Do every job now."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
        for _, _, job in self.jobs:
            try:
                job()
            except Exception as error:
                print(f"{self.name}: {error}; again tomorrow", file=sys.stderr)

    def run_forever(self) -> None:
        """Do every job once a day."""
        while True:
            self.run_once()
            time.sleep(86_400)
