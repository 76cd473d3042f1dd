"""What `pipeline.toml` says, with types, and how this pipeline can fail."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Settings:
    """See the comments in `pipeline.toml`. Delays are in seconds, ratios and shares are fractions."""

    retry_delays_seconds: tuple[float, ...]
    max_null_share: float
    min_rows_ratio: float
    max_rows_ratio: float
    window_days: int
    min_auc: float
    max_auc_drop: float
    offers_per_payer: int
    parts: int

    @classmethod
    def load(cls, path: Path = HERE / "pipeline.toml") -> Settings:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        values = {key: value for table in tables.values() for key, value in table.items()}
        return cls(**{**values, "retry_delays_seconds": tuple(values["retry_delays_seconds"])})


class PipelineError(Exception):
    """A date that is not published, for a reason that people can act on. `status` is the exit status."""

    status = 1


class LeaseHeld(PipelineError):
    status = 3


class DataGate(PipelineError):
    status = 4


class EvalGate(PipelineError):
    status = 5


class UpstreamMissing(PipelineError):
    status = 6
