"""Runs jobs at night, and says so."""

from __future__ import annotations

import time
from collections.abc import Callable


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
        for _, _, job in self.jobs:
            print(f"{self.name}: {job()}")

    def run_forever(self) -> None:
        """Do every job once a day."""
        while True:
            self.run_once()
            time.sleep(86_400)
