"""What the environment says. Read once, when the process starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Limits and addresses. Units are in the names."""

    model_path: Path
    redis_url: str
    lookup_timeout_seconds: float
    cache_seconds: float
    stale_seconds: float
    max_in_flight: int
    warm_up_seconds: float

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Settings:
        return cls(
            model_path=Path(env.get("MODEL_PATH", "fraud.onnx")),
            redis_url=env.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
            lookup_timeout_seconds=float(env.get("LOOKUP_TIMEOUT_MS", "30")) / 1000,
            cache_seconds=float(env.get("CACHE_SECONDS", "30")),
            stale_seconds=float(env.get("STALE_SECONDS", "1800")),
            max_in_flight=int(env.get("MAX_IN_FLIGHT", "64")),
            warm_up_seconds=float(env.get("WARM_UP_SECONDS", "10")),
        )
