"""The fraud model: an ONNX file that carries its own version, feature order, channel codes and threshold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from contract import Decision, Transaction

KNOWN_FEATURES = set(Transaction.model_fields) - {"transaction_id"}


class ModelInvalid(Exception):
    """The file is there, but it is no model that this service can use."""


@dataclass(frozen=True)
class FraudModel:
    """A loaded model. It never changes, so any number of requests and threads may share it."""

    session: onnxruntime.InferenceSession
    version: str
    features: tuple[str, ...]
    channel_codes: dict[str, int]
    threshold: float

    @classmethod
    def load(cls, path: Path) -> FraudModel:
        """Read the model file, and score one row of missing values as a proof that it works.

        Raises:
            OSError: there is no file at `path`, or it cannot be read.
            ModelInvalid: no ONNX, metadata missing, or a feature that no transaction has.
        """
        content = path.read_bytes()
        options = onnxruntime.SessionOptions()
        # A row is too small to share out: more threads would only fight for the cores.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            about = session.get_modelmeta().custom_metadata_map
            model = cls(
                session=session,
                version=about["version"],
                features=tuple(json.loads(about["features"])),
                channel_codes={channel: code for code, channel in enumerate(json.loads(about["channels"]))},
                threshold=float(about["threshold"]),
            )
            model._run(np.full((1, len(model.features)), np.nan, dtype=np.float32))
        except Exception as error:  # onnxruntime raises many types, and each of them means the same here
            raise ModelInvalid(f"{type(error).__name__}: {error}") from error
        if unknown := set(model.features) - KNOWN_FEATURES:
            raise ModelInvalid(f"it wants features that no transaction has: {sorted(unknown)}")
        return model

    def probabilities(self, transactions: Sequence[Transaction]) -> list[float]:
        """The probability of fraud (0 to 1) of each transaction, in the order given."""
        return self._run(np.array([self._row(one) for one in transactions], dtype=np.float32))

    def decide(self, probability: float) -> Decision:
        return "block" if probability >= self.threshold else "allow"

    def _row(self, transaction: Transaction) -> list[float | None]:
        """Values in the model's own order. NumPy turns `None` into NaN, which the model knows as missing."""
        return [
            self.channel_codes[transaction.channel] if name == "channel" else getattr(transaction, name)
            for name in Transaction.model_fields
            if name != "transaction_id"
        ]

    def _run(self, rows: np.ndarray) -> list[float]:
        (probabilities,) = self.session.run(["probabilities"], {"features": rows})
        fraud: list[float] = probabilities[:, 1].tolist()  # column 0: no fraud
        return fraud
