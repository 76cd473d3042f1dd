"""What Prefect's API has on record of a learner's runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from labs.checks import Finished, Process

PATIENCE = 20.0  # seconds until Prefect has written down what it was told


@dataclass(frozen=True)
class Run:
    """A flow run and its task runs, as JSON objects of the API."""

    flow: dict[str, Any]
    tasks: list[dict[str, Any]]

    def steps(self) -> dict[str, str]:
        """The state's type of each step, by the name that the contract gives it."""
        return {task["name"].split("-")[0]: task["state_type"] for task in self.tasks}

    def step(self, name: str) -> dict[str, Any] | None:
        return next((task for task in self.tasks if task["name"].split("-")[0] == name), None)


class Records:
    """Reads the API at `url`, about runs whose parameter `landing` is this check's own."""

    def __init__(self, url: str, landing: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30)
        self.landing = landing

    def runs(self, day: Any) -> list[Run]:
        """The flow runs of a date, newest first."""
        wanted = {"flow_runs": {"name": {"any_": [f"offers-{day}"]}}, "sort": "START_TIME_DESC", "limit": 50}
        found = self.client.post("/flow_runs/filter", json=wanted).raise_for_status().json()
        mine = [
            flow for flow in found if self.landing in str((flow.get("parameters") or {}).get("landing", ""))
        ]
        return [Run(flow, self._tasks(flow["id"])) for flow in mine]

    def wait_for(self, finished: Finished | Process, day: Any, holds: Callable[[Run], bool]) -> Run | None:
        """The newest run of a date once something `holds` of it; as it is, if it does not within 20 seconds."""
        deadline, found = time.monotonic() + PATIENCE, None
        while time.monotonic() < deadline:
            found = next(iter(self.runs(day)), None)
            if found is not None and holds(found):
                break
            time.sleep(0.1)
        return found

    def starts(self, task: dict[str, Any]) -> list[float]:
        """When each attempt of a task run began, in seconds."""
        states = (
            self.client.get("/task_run_states/", params={"task_run_id": task["id"]}).raise_for_status().json()
        )
        running = [state["timestamp"] for state in states if state["type"] == "RUNNING"]
        return sorted(datetime.fromisoformat(text).timestamp() for text in running)

    def _tasks(self, flow_run: str) -> list[dict[str, Any]]:
        wanted = {"flow_runs": {"id": {"any_": [flow_run]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        return self.client.post("/task_runs/filter", json=wanted).raise_for_status().json()
