"""The few questions that promotion, rollback and serving ask MLflow's registry, over its REST API.

`import mlflow` takes seconds, and its client waits minutes for a server that is down. In an emergency, and in a
serving process, neither will do.
"""

from __future__ import annotations

import json
import os
from typing import Any

import httpx

from settings import CHAMPION

API = "/api/2.0/mlflow"
SECONDS = 5.0
HISTORY_TAG = (
    "champions"  # of the registered model: JSON list of versions, in the order in which they were promoted
)


class Registry:
    """One registered model. Versions are numbers.

    Raises httpx.HTTPError from every method when MLflow does not answer, or answers with an error.
    """

    def __init__(self, model: str, seconds: float = SECONDS) -> None:
        self.model = model
        self._client = httpx.Client(base_url=os.environ["MLFLOW_TRACKING_URI"], timeout=seconds)

    def champion(self) -> int | None:
        """The version that the alias names. One request: what it says is true for one moment, for all of it."""
        alias = {"name": self.model, "alias": CHAMPION}
        reply = self._client.get(f"{API}/registered-models/alias", params=alias)
        if reply.status_code in (400, 404) and "not found" in reply.text:
            return None
        return int(reply.raise_for_status().json()["model_version"]["version"])

    def make_champion(self, version: int) -> None:
        """Move the alias. MLflow does it in one step: no reader ever finds none."""
        alias = {"name": self.model, "alias": CHAMPION, "version": str(version)}
        self._client.post(f"{API}/registered-models/alias", json=alias).raise_for_status()

    def history(self) -> list[int]:
        """All champions, in the order in which they were promoted."""
        reply = self._client.get(
            f"{API}/registered-models/get", params={"name": self.model}
        ).raise_for_status()
        tags = {tag["key"]: tag["value"] for tag in reply.json()["registered_model"].get("tags", [])}
        return [int(version) for version in json.loads(tags.get(HISTORY_TAG, "[]"))]

    def keep_history(self, versions: list[int]) -> None:
        tag = {"name": self.model, "key": HISTORY_TAG, "value": json.dumps(versions)}
        self._client.post(f"{API}/registered-models/set-tag", json=tag).raise_for_status()

    def version(self, version: int) -> dict[str, Any]:
        """What the registry holds of a version: its `run_id`, and its `tags` as a dict."""
        which = {"name": self.model, "version": str(version)}
        reply = self._client.get(f"{API}/model-versions/get", params=which).raise_for_status()
        found: dict[str, Any] = reply.json()["model_version"]
        return {**found, "tags": {tag["key"]: tag["value"] for tag in found.get("tags", [])}}

    def tag_version(self, version: int, **tags: str) -> None:
        for key, value in tags.items():
            tag = {"name": self.model, "version": str(version), "key": key, "value": value}
            self._client.post(f"{API}/model-versions/set-tag", json=tag).raise_for_status()


def up_to(history: list[int], version: int | None) -> list[int]:
    """The history with the champion `version` as its last. What came after it was rolled back, or never finished."""
    return history[: history.index(version) + 1] if version in history else [version] if version else []
