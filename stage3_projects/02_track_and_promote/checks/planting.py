"""Versions that the grader plants in the registry, with the records that a training would leave."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from candidates import Model
from days import fingerprint
from mlflow_api import Api

FEATURES = {
    "channel": "string",
    "merchant_category": "string",
    "amount_paise": "long",
    "hour_ist": "long",
    "device_age_days": "double",
    "payer_account_age_days": "double",
    "payer_mean_amount_30d_paise": "double",
    "payer_merchant_is_new": "long",
    "distance_km": "double",
}
EXPERIMENT = "fraud"
MARKER = "changed_code_ran"
SOURCE = (Path(__file__).parent / "planted.py").read_bytes()


def changed_code() -> bytes:
    """The planted model's code, with a line that leaves a file behind when it runs."""
    return SOURCE + f"\nPath({MARKER!r}).touch()\n".encode()


@dataclass(frozen=True)
class Record:
    """Everything that a training leaves beside the model. A check changes what it wants to be wrong."""

    model: Model
    metrics: dict[str, float] = field(default_factory=dict)
    card: dict[str, Any] | None = None
    features: dict[str, str] = field(default_factory=lambda: dict(FEATURES))
    data_sha256: str = ""
    has_threshold: bool = True

    def with_card(self, **fields: Any) -> Record:
        """Another card: fields are replaced; one that is None is left out."""
        assert self.card is not None
        changed = {**self.card, **fields}
        return replace(self, card={key: value for key, value in changed.items() if value is not None})


def record(model: Model, name: str, rng: np.random.Generator, **figures: float) -> Record:
    """An honest record of a model; `figures` are metrics that its run claims."""
    metrics = {
        "pr_auc": round(float(rng.uniform(0.2, 0.5)), 6),
        "cost_rupees": float(rng.integers(10**5, 10**6)),
    }
    metrics |= {"pr_auc.channel.collect": round(float(rng.uniform(0.2, 0.5)), 6), **figures}
    data_sha256 = rng.bytes(32).hex()
    card = {
        "model": name,
        "owner": "fraud-team@nukkad.example",
        "intended_use": "Scores one UPI payment before it is made.",
        "not_for": "Decisions about a person.",
        "limitations": "It knows no merchants.",
        "data_sha256": data_sha256,
        "features": list(FEATURES),
        "threshold": model.threshold,
        "metrics": metrics,
    }
    return Record(model, metrics, card, data_sha256=data_sha256)


def files_of(one: Record) -> dict[str, bytes]:
    """The files of a planted model, as `log_model` would write them."""
    inputs = [{"type": kind, "name": name, "required": True} for name, kind in one.features.items()]
    outputs = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
    description = {
        "flavors": {
            "python_function": {
                "artifacts": {"spec": {"path": "artifacts/spec.json", "uri": "spec.json"}},
                "code": None,
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": "mlflow.pyfunc.loaders.code_model",
                "model_code_path": "planted.py",
                "streamable": False,
            }
        },
        "metadata": {"threshold": one.model.threshold} if one.has_threshold else {"owner": "fraud-team"},
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None},
    }
    return {
        "MLmodel": json.dumps(description).encode(),  # JSON is YAML
        "planted.py": SOURCE,
        "artifacts/spec.json": json.dumps(one.model.spec).encode(),
    }


@dataclass(frozen=True)
class Planted:
    """A version in the registry, and what was planted there."""

    number: int
    record: Record
    run_id: str
    model_id: str
    address: str
    signed: str


def plant(api: Api, name: str, one: Record) -> Planted:
    """Register a version of the model `name` with this record."""
    experiment = api.experiment(EXPERIMENT)
    run = api.make_run(experiment, {"data_sha256": one.data_sha256}, one.metrics)["info"]
    model_id, address = api.make_model(experiment, run["run_id"])
    files = files_of(one)
    api.put(address, files)
    if one.card is not None:
        api.put(run["artifact_uri"], {"model_card.json": json.dumps(one.card).encode()})
    api.finish_model(model_id)
    number = api.register(name, run["run_id"], model_id, {"artifact_sha256": fingerprint(files)})
    return Planted(number, one, run["run_id"], model_id, address, fingerprint(files))


def plant_again(api: Api, name: str, one: Planted) -> Planted:
    """Register what was planted before under another name: few requests."""
    number = api.register(name, one.run_id, one.model_id, {"artifact_sha256": one.signed})
    return replace(one, number=number)
