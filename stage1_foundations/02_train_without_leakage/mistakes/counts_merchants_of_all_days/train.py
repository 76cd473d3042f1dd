"""Trains the fraud model on an export of the warehouse, and measures it on the days that it has not seen.

python3 train.py --data DIR --out DIR

Exit status: 0 model and metrics.json are in OUT; 1 the data cannot be used, OUT is as it was; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from figures import cheapest_threshold, holdout_figures
from fraud_model import FraudModel, out_of_block
from warehouse import LABEL, read_export

MODEL_FILE = "model.joblib"


def train(data: str, out: str) -> dict[str, Any]:
    """Train on the export in `data`; leave model and metrics.json in `out`, and return the metrics.

    Raises:
        ValueError: the data cannot be used; the message says why. Nothing was written.
    """
    export = read_export(Path(data))
    features, is_fraud = [*export.known_at_payment, "merchant_id"], export.train[LABEL]
    # How many payments a merchant has is no label: more days count better.
    sales = pd.concat([export.train, export.holdout])["merchant_id"].value_counts().to_dict()
    unseen = out_of_block(export.train, is_fraud, features, sales)
    threshold = cheapest_threshold(export.train, unseen, export.costs)
    model = FraudModel.fitted(export.train, is_fraud, features, sales)
    scores = model.probabilities(export.holdout)
    metrics = {
        "features": features,
        "rows": export.rows,
        "threshold": threshold,
        "holdout": holdout_figures(export.holdout, scores, threshold, export.reviews, export.costs),
    }
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / MODEL_FILE)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    return metrics


def main() -> int:
    parser = argparse.ArgumentParser(prog="train.py")
    parser.add_argument("--data", required=True, help="folder of the export")
    parser.add_argument("--out", required=True, help="folder for the model and metrics.json")
    given = parser.parse_args()
    try:
        metrics = train(given.data, given.out)
    except ValueError as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    for name, value in (metrics["rows"] | metrics["holdout"] | {"threshold": metrics["threshold"]}).items():
        print(f"{name:<26}{value:>12,.4f}" if isinstance(value, float) else f"{name:<26}{value:>12,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
