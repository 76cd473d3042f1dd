"""Runs jobs at night. New: a job runs only when it is switched on."""

from __future__ import annotations

import time
from collections.abc import Callable


class Night:
    """A list of jobs, each with a time of day."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: list[tuple[str, str, Callable[[], object], bool]] = []

    def at(self, clock: str, job: Callable[[], object], *, zone: str = "UTC", on: bool = False) -> None:
        """Plan a job for a time of day, such as "01:30"."""
        self.jobs.append((clock, zone, job, on))

    def run_once(self) -> None:
        """Do every job that is on."""
        for _, _, job, on in self.jobs:
            if on:
                job()

    def run_forever(self) -> None:
        """Do every job that is on, once a day."""
        while True:
            self.run_once()
            time.sleep(86_400)
