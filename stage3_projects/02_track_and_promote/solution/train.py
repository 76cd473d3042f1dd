"""Trains `fraud`, leaves a whole record of it in MLflow, and registers it as the challenger.

python3 train.py --data DIR [--seed N] [--learning-rate X] [--max-leaf-nodes N] [--max-iter N]

Exit status: 0 registered; 1 the data cannot be used, nothing is registered; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from figures import cheapest_threshold, cost_rupees, pr_auc, pr_auc_by_slice
from fingerprint import fingerprint
from payments import read_payments
from quick_mlflow import mlflow
from settings import CARD_FILE, CHALLENGER, model_name

CATEGORIES = ["channel", "merchant_category"]
NUMBERS = [
    "amount_paise",
    "hour_ist",
    "device_age_days",
    "payer_account_age_days",
    "payer_txn_count_24h",
    "payer_mean_amount_30d_paise",
    "payer_merchant_is_new",
    "distance_km",
]
FEATURES = [*CATEGORIES, *NUMBERS]
HOLDOUT_PARTS, THRESHOLD_PARTS = (
    5,
    4,
)  # the last fifth measures; the last quarter of the rest chooses the threshold
LEAST_FRAUDS_OF_A_SLICE = 20
TRUSTED = [
    "numpy.dtype",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]  # read before you extend it: these are the types that loading a model may build


def build(options: argparse.Namespace) -> Pipeline:
    """The untrained model."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    return make_pipeline(
        make_column_transformer(
            (encoder, CATEGORIES), remainder="passthrough", verbose_feature_names_out=False
        ),
        HistGradientBoostingClassifier(
            learning_rate=options.learning_rate,
            max_leaf_nodes=options.max_leaf_nodes,
            max_iter=options.max_iter,
            early_stopping=False,
            random_state=options.seed,
        ),
    )


def fitted(payments: pd.DataFrame, options: argparse.Namespace) -> Pipeline:
    return build(options).fit(payments[FEATURES], payments["is_fraud"])


def scores_of(model: Pipeline, payments: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(payments[FEATURES])[:, 1]


def measure(model: Pipeline, holdout: pd.DataFrame, threshold: float) -> dict[str, float]:
    """The figures of the contract, on payments which nothing was fitted to."""
    scores = scores_of(model, holdout)
    by_slice = pr_auc_by_slice(holdout, scores, LEAST_FRAUDS_OF_A_SLICE)
    return {
        "pr_auc": pr_auc(holdout, scores),
        "cost_rupees": cost_rupees(holdout, scores, threshold),
        **{f"pr_auc.{name}": value for name, value in by_slice.items()},
    }


def without_last(payments: pd.DataFrame, parts: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The payments without the last of so many parts, and that part. They are in order of time."""
    cut = len(payments) - len(payments) // parts
    return payments.iloc[:cut], payments.iloc[cut:]


def train(data: Path, options: argparse.Namespace) -> str:
    """Train, record and register; the new version."""
    payments = read_payments(data)
    data_sha256 = fingerprint(data)
    known, holdout = without_last(payments, HOLDOUT_PARTS)
    early, late = without_last(known, THRESHOLD_PARTS)
    threshold = cheapest_threshold(late, scores_of(fitted(early, options), late))
    model = fitted(known, options)
    metrics = measure(model, holdout, threshold)
    mlflow.set_experiment(model_name())
    with mlflow.start_run():
        mlflow.log_params({**vars(options), "data_sha256": data_sha256})
        read = payments[[*FEATURES, "is_fraud"]]
        dataset = mlflow.data.from_pandas(read, name="payments", digest=data_sha256[:32])
        mlflow.log_input(dataset, context="training")
        mlflow.log_metrics(metrics)
        for file in sorted(Path(__file__).parent.glob("*.py")):
            mlflow.log_artifact(str(file), "code")
        mlflow.log_dict(describe(data_sha256, threshold, metrics), CARD_FILE)
        return register(model, known, threshold)


def describe(data_sha256: str, threshold: float, metrics: dict[str, float]) -> dict[str, Any]:
    """The model card. People wrote the words; no number in it was typed."""
    return {
        "model": model_name(),
        "owner": "fraud-team@nukkad.example",
        "intended_use": "Scores one UPI payment before it is made. From the threshold on, it is blocked.",
        "not_for": "Decisions about a person, such as credit or closing an account.",
        "limitations": "Labels come up to 30 days late: a new kind of fraud is not known to it.",
        "data_sha256": data_sha256,
        "features": FEATURES,
        "threshold": threshold,
        "metrics": metrics,
    }


def register(model: Pipeline, known: pd.DataFrame, threshold: float) -> str:
    """Log the model with all that it needs to be used, and make it the challenger."""
    example = known[FEATURES].head(3)
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(example, model.predict_proba(example)),
        input_example=example,
        pip_requirements=["scikit-learn", "skops"],
        skops_trusted_types=TRUSTED,
        pyfunc_predict_fn="predict_proba",
        metadata={"threshold": threshold},
        registered_model_name=model_name(),
    )
    version = str(logged.registered_model_version)
    client = mlflow.MlflowClient()
    files = Path(mlflow.artifacts.download_artifacts(logged.model_uri))
    client.set_model_version_tag(model_name(), version, "artifact_sha256", fingerprint(files))
    client.set_registered_model_alias(model_name(), CHALLENGER, version)
    return version


def parsed() -> tuple[Path, argparse.Namespace]:
    """The data's folder, and every other option: each of these is a parameter of the run."""
    parser = argparse.ArgumentParser(prog="train.py")
    parser.add_argument("--data", type=Path, required=True, help="folder of payments, one Parquet file a day")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-leaf-nodes", type=int, default=15)
    parser.add_argument("--max-iter", type=int, default=60)
    options = parser.parse_args()
    data = options.data
    del options.data
    return data, options


def main() -> int:
    data, options = parsed()
    try:
        version = train(data, options)
    except ValueError as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    print(f"{model_name()} version {version} is the {CHALLENGER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
