"""The fraud model: an ONNX file that carries its own version, feature order, channel codes and threshold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from contract import Decision, Payment
from payer_features import FEATURES, PayerFeatures

KNOWN_FEATURES = (set(Payment.model_fields) | set(FEATURES)) - {"transaction_id", "payer_id"}


@dataclass(frozen=True)
class FraudModel:
    """A loaded model. It never changes, so any number of requests may share it."""

    session: onnxruntime.InferenceSession
    version: str
    features: tuple[str, ...]
    channel_codes: dict[str, int]
    threshold: float

    @classmethod
    def load(cls, path: Path) -> FraudModel:
        """Read the model file and score one row as a proof that it works.

        Raises:
            OSError: the file cannot be read.
            Exception: onnxruntime raises many types; all mean that this is no model for us.
        """
        options = onnxruntime.SessionOptions()
        # One row is too small to share out. A second thread would spin for work that never comes,
        # and take the core that the next request needs.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        about = session.get_modelmeta().custom_metadata_map
        model = cls(
            session=session,
            version=about["version"],
            features=tuple(json.loads(about["features"])),
            channel_codes={channel: code for code, channel in enumerate(json.loads(about["channels"]))},
            threshold=float(about["threshold"]),
        )
        if unknown := set(model.features) - KNOWN_FEATURES:
            raise ValueError(f"the model wants features that nobody knows: {sorted(unknown)}")
        model._run([0.0] * len(model.features))
        return model

    def probability(self, payment: Payment, payer: PayerFeatures) -> float:
        """The probability of fraud, 0 to 1."""
        known = {**payment.__dict__, **payer.values}
        known["channel"] = self.channel_codes[payment.channel]
        return self._run([known[name] for name in self.features])

    def decide(self, probability: float) -> Decision:
        return "block" if probability >= self.threshold else "allow"

    def _run(self, row: list[float | None]) -> float:
        rows = np.array([row], dtype=np.float32)  # `None` becomes NaN, which the model knows as missing
        (probabilities,) = self.session.run(["probabilities"], {"features": rows})
        return float(probabilities[0, 1])  # column 0: no fraud
