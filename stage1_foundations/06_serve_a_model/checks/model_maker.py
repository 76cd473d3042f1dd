"""Trains a fraud model on a few of Nukkad Pay's days and writes the one file that the contract describes.

Run it to get a model to practise with:  python model_maker.py fraud.onnx
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from labs.world import World

CHANNELS = ("qr", "intent", "collect", "autopay")
FEATURES = (
    "amount_paise", "channel", "hour_ist", "payer_account_age_days", "payer_txn_count_24h",
    "payer_mean_amount_30d_paise", "payer_merchant_is_new", "device_age_days", "distance_km",
)  # fmt: skip
NULLABLE = ("payer_mean_amount_30d_paise", "device_age_days", "distance_km")
NULL_SHARE = 0.08
TRAINING_DAYS = 5
NEGATIVES_PER_FRAUD = 8
TREES, LEAVES = 200, 31
FRAUD_WEIGHT = 60.0  # how much more often a fraud is drawn than another payment


@dataclass(frozen=True)
class Model:
    """A model file, and what it should answer. `features` and `channels` are in the file's own order."""

    content: bytes
    version: str
    features: tuple[str, ...]
    channels: tuple[str, ...]
    threshold: float

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = (
            1  # the checks are forks of the process that made it: they have no other thread
        )
        return onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])

    def probabilities(self, transactions: list[dict[str, Any]]) -> list[float]:
        """What the model says of each transaction (a request body)."""
        (found,) = self.session.run(["probabilities"], {"features": self.rows(transactions)})
        return found[:, 1].astype(float).tolist()

    def rows(self, transactions: list[dict[str, Any]]) -> np.ndarray:
        """Request bodies as the model's input: float32, `None` as NaN."""
        codes = {channel: code for code, channel in enumerate(self.channels)}
        values = [[codes.get(one[name], one[name]) for name in self.features] for one in transactions]
        return np.array(values, dtype=np.float32)

    def decision(self, probability: float) -> str:
        return "block" if probability >= self.threshold else "allow"


@dataclass(frozen=True)
class Trained:
    """The trees and what a file will say of them. They take rows of `features`, float32."""

    trees: HistGradientBoostingClassifier
    version: str
    features: tuple[str, ...]
    channels: tuple[str, ...]
    threshold: float


def make_model(seed: int) -> Model:
    """A model trained on the world of `seed`, with its features and channel codes in an order of its own."""
    return exported(train(seed))


def train(seed: int) -> Trained:
    """The estimator behind `make_model`, before it becomes a file."""
    rng = np.random.default_rng(seed)
    features = tuple(map(str, rng.permutation(FEATURES)))
    channels = tuple(map(str, rng.permutation(CHANNELS)))
    frame, is_fraud = training_days(seed, rng)
    frame["channel"] = frame["channel"].map({channel: code for code, channel in enumerate(channels)})
    rows = frame[list(features)].to_numpy(dtype=np.float32)
    with threadpool_limits(1):  # more threads fight for busy cores: a fit of half a second can take a minute
        trees = new_trees().fit(rows, is_fraud)
    day = pd.Timestamp("2026-01-06") + pd.Timedelta(days=int(rng.integers(300)))
    threshold = round(float(np.quantile(trees.predict_proba(rows)[:, 1], 0.9)), 4)
    return Trained(trees, f"fraud-{day:%Y%m%d}-{rng.bytes(3).hex()}", features, channels, threshold)


def new_trees() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=TREES, max_leaf_nodes=LEAVES, early_stopping=False)


def exported(trained: Trained) -> Model:
    """The estimator as one ONNX file with its metadata."""
    inputs = [("features", FloatTensorType([None, len(trained.features)]))]
    graph = to_onnx(trained.trees, initial_types=inputs, options={"zipmap": False})
    named = (trained.version, trained.features, trained.channels, trained.threshold)
    return with_metadata(Model(graph.SerializeToString(), *named))


def with_metadata(model: Model, **changes: Any) -> Model:
    """The model with `changes`, and its metadata written anew into the file."""
    changed = replace(model, **changes)
    graph = onnx.load_from_string(changed.content)
    said = {
        "version": changed.version,
        "features": json.dumps(changed.features),
        "channels": json.dumps(changed.channels),
        "threshold": repr(changed.threshold),
    }
    helper.set_model_props(graph, said)
    return replace(changed, content=graph.SerializeToString())


def slowed(model: Model, turns_per_row: int) -> Model:
    """The same answers, later: an idle loop of `turns_per_row` for each row runs before the trees read their input."""
    slow = onnx.load_from_string(model.content)
    graph = slow.graph
    for node in graph.node:
        node.input[:] = ["features_later" if name == "features" else name for name in node.input]
    body = helper.make_graph(
        [helper.make_node("Sin", ["idle"], ["idle_next"]), helper.make_node("Identity", ["go"], ["go_on"])],
        "wait",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("idle", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("idle_next", TensorProto.FLOAT, [1]),
        ],
    )
    waiting = [
        helper.make_node("Shape", ["features"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["rows"], axis=0),
        helper.make_node("Mul", ["rows", "turns_per_row"], ["turns"]),
        helper.make_node("Loop", ["turns", "", "nothing"], ["still_nothing"], body=body),
        helper.make_node("Add", ["features", "still_nothing"], ["features_later"]),
    ]
    for name, value in (
        ("first", np.int64(0)),
        ("turns_per_row", np.int64(turns_per_row)),
        ("nothing", np.zeros(1, np.float32)),
    ):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    trees = list(graph.node)
    del graph.node[:]
    graph.node.extend(waiting + trees)
    return replace(model, content=slow.SerializeToString())


def draw_transactions(seed: int, rng: np.random.Generator, count: int, day: int = 20) -> list[dict[str, Any]]:
    """`count` request bodies of one day that no model was trained on, many of them frauds.

    Some values are not known (`None`).
    """
    world = World(seed=seed)
    frame = world.transactions(day)
    weight = np.where(world.truth(day)["is_fraud"], FRAUD_WEIGHT, 1.0)
    chosen = rng.choice(len(frame), count, replace=False, p=weight / weight.sum())
    frame = _forget(frame.iloc[chosen].reset_index(drop=True), rng)
    return [_body(row) for row in frame.to_dict("records")]


def _body(row: dict[str, Any]) -> dict[str, Any]:
    whole = ("transaction_id", "amount_paise", "hour_ist", "payer_txn_count_24h")
    body: dict[str, Any] = {name: int(row[name]) for name in whole}
    body["channel"] = str(row["channel"])
    body["payer_account_age_days"] = float(row["payer_account_age_days"])
    body["payer_merchant_is_new"] = bool(row["payer_merchant_is_new"])
    for name in NULLABLE:
        body[name] = None if pd.isna(row[name]) else round(float(row[name]), 3)
    return body


def training_days(seed: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """All frauds of the first days and some of the rest; numbers as float32, as a service feeds them to a model."""
    world = World(seed=seed)
    days = range(TRAINING_DAYS)
    frame = pd.concat([world.transactions(day) for day in days], ignore_index=True)
    is_fraud = np.concatenate([world.truth(day)["is_fraud"].to_numpy() for day in days])
    others = rng.permutation(np.flatnonzero(~is_fraud))[: NEGATIVES_PER_FRAUD * int(is_fraud.sum())]
    kept = np.sort(np.concatenate([np.flatnonzero(is_fraud), others]))
    frame = _forget(frame.iloc[kept].reset_index(drop=True), rng)
    numbers = {name: np.float32 for name in FEATURES if name != "channel"}
    return frame[list(FEATURES)].astype({**numbers, "channel": str}), is_fraud[kept].astype(int)


def _forget(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Make some values unknown, as they are for a new payer or a phone that hides its place."""
    for name in NULLABLE:
        frame[name] = frame[name].mask(rng.random(len(frame)) < NULL_SHARE)
    return frame


if __name__ == "__main__":
    made = make_model(seed=1)
    Path(sys.argv[1]).write_bytes(made.content)
    print(f"{sys.argv[1]}: {made.version}, blocks from {made.threshold}")
