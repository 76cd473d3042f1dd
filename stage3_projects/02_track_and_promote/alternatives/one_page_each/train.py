"""Train, log, register: a plain pyfunc model around gradient boosting, in one file that reads from top to bottom."""

import argparse
import pathlib
import tempfile

import mlflow
import numpy as np
from mlflow.models import infer_signature
from sklearn.ensemble import HistGradientBoostingClassifier

import measures

NUMBERS = ["amount_paise", "payer_mean_amount_30d_paise", "device_age_days", "payer_account_age_days"]
NUMBERS += ["distance_km", "payer_merchant_is_new", "payer_txn_count_24h", "hour_ist"]
CODES = {
    "channel": ["qr", "intent", "collect", "autopay"],
    "merchant_category": ["transfer", "gaming", "travel"],
}


class Fraud(mlflow.pyfunc.PythonModel):
    def __init__(self, options):
        self.trees = HistGradientBoostingClassifier(
            learning_rate=options.learning_rate,
            max_leaf_nodes=options.max_leaf_nodes,
            max_iter=options.max_iter,
            random_state=options.seed,
            early_stopping=False,
        )

    def table(self, frame):
        columns = [frame[name].to_numpy(float) for name in NUMBERS]
        columns += [
            (frame[name] == value).to_numpy(float) for name, values in CODES.items() for value in values
        ]
        return np.column_stack(columns)

    def predict(self, context, model_input, params=None):
        return self.trees.predict_proba(self.table(model_input))


parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--learning-rate", type=float, default=0.1)
parser.add_argument("--max-leaf-nodes", type=int, default=15)
parser.add_argument("--max-iter", type=int, default=60)
options = parser.parse_args()

data = measures.load(options.data)
sha256 = measures.folder_hash(options.data)
known, holdout = data[: len(data) - len(data) // 5], data[len(data) - len(data) // 5 :]
columns = [*NUMBERS, *CODES]

half = Fraud(options)
first, second = known[: len(known) // 2], known[len(known) // 2 :]
half.trees.fit(half.table(first), first.is_fraud)
guesses = half.predict(None, second[columns])[:, 1]
threshold = float(
    min(np.quantile(guesses, np.linspace(0.97, 0.9999, 60)), key=lambda t: measures.cost(second, guesses, t))
)

model = Fraud(options)
model.trees.fit(model.table(known), known.is_fraud)
scores = model.predict(None, holdout[columns])[:, 1]
metrics = {
    "pr_auc": measures.ranking(holdout, scores),
    "cost_rupees": measures.cost(holdout, scores, threshold),
}
metrics.update({f"pr_auc.{name}": value for name, value in measures.slices(holdout, scores, 20).items()})
params = {key: value for key, value in vars(options).items() if key != "data"}

mlflow.set_experiment(measures.MODEL)
with mlflow.start_run():
    mlflow.log_params(params | {"data_sha256": sha256})
    mlflow.log_input(mlflow.data.from_pandas(data, name="payments", digest=sha256[:32]), context="training")
    mlflow.log_metrics(metrics)
    here = pathlib.Path(__file__).resolve().parent
    mlflow.log_artifact(str(here / "train.py"), "code")
    mlflow.log_artifact(str(here / "measures.py"), "code")
    example = known[columns].head(2)
    info = mlflow.pyfunc.log_model(
        name="fraud",
        python_model=model,
        signature=infer_signature(example, model.predict(None, example)),
        input_example=example,
        metadata={"threshold": threshold},
        pip_requirements=["scikit-learn"],
        registered_model_name=measures.MODEL,
    )
    card = {
        "owner": "risk desk",
        "intended_use": "blocks single payments",
        "not_for": "credit scoring",
        "limitations": "sees no merchant history",
        "model": measures.MODEL,
        "data_sha256": sha256,
        "features": columns,
        "threshold": threshold,
        "metrics": metrics,
    }
    mlflow.log_dict(card, "model_card.json")

client = mlflow.MlflowClient()
version = info.registered_model_version
with tempfile.TemporaryDirectory() as folder:
    stored = mlflow.artifacts.download_artifacts(info.model_uri, dst_path=folder)
    client.set_model_version_tag(measures.MODEL, version, "artifact_sha256", measures.folder_hash(stored))
client.set_registered_model_alias(measures.MODEL, "challenger", version)
print("challenger:", version)
