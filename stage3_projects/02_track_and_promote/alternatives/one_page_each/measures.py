"""Everything that both training and gate compute: data, fingerprints, figures."""

import hashlib
import os
import pathlib
import sys

import pandas as pd
from sklearn.metrics import average_precision_score

sys.modules.setdefault("feast.infra.data_sources.mlflow.auth", None)  # ten seconds that nobody needs
MODEL = os.environ.get("MODEL_NAME", "fraud")


def folder_hash(folder):
    folder = pathlib.Path(folder)
    names = [p.relative_to(folder).as_posix() for p in folder.glob("**/*") if p.is_file()]
    total = hashlib.sha256()
    for name in sorted(name for name in names if name != "registered_model_meta"):
        total.update(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n".encode())
    return total.hexdigest()


def load(folder):
    data = pd.concat(map(pd.read_parquet, pathlib.Path(folder).glob("*.parquet")))
    return data.sort_values(["event_time", "transaction_id"]).reset_index(drop=True)


def cost(data, scores, threshold):
    blocked = scores >= threshold
    missed = data.loc[data.is_fraud & ~blocked, "amount_paise"].sum() / 100
    return float(missed + 80 * (blocked & ~data.is_fraud).sum())


def slices(data, scores, at_least):
    data = data.assign(score=scores)
    return {
        f"{column}.{value}": float(average_precision_score(part.is_fraud, part.score))
        for column in ("channel", "merchant_category")
        for value, part in data.groupby(column)
        if part.is_fraud.sum() >= at_least
    }


def ranking(data, scores):
    return float(average_precision_score(data.is_fraud, scores))
