"""One scikit-learn pipeline for all; the threshold by cross-validation. Dictionary and log must agree."""

import argparse
import json
import math
import pathlib
import sys

import joblib
import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from steps import pipeline

IDS = ["transaction_id", "event_time", "payer_id", "merchant_id"]


def money(frame, block, costs):
    fraud = frame["is_fraud"].astype(bool)
    lost = (frame["amount_paise"] / 100 + costs["allowed_fraud_fee"])[fraud & ~block].sum()
    return float(lost + costs["blocked_legitimate"] * (block & ~fraud).sum())


def load(data):
    data = pathlib.Path(data)
    try:
        facts = json.loads((data / "export.json").read_text())
        notes = json.loads((data / "columns.json").read_text())
        rows = pd.read_parquet(data / "payments.parquet")
        log = pd.read_parquet(data / "requests.parquet")
        payments = rows.drop_duplicates("transaction_id", keep="last").set_index("transaction_id", drop=False)
        end = pd.Timestamp(facts["exported_at"]).tz_localize(None) - pd.Timedelta(
            facts["label_final_after_days"], "D"
        )
        final = payments[payments["event_time"] <= end].sort_values("event_time")
        split = end - pd.Timedelta(facts["holdout_days"], "D")
        old, new = final[final["event_time"] < split], final[final["event_time"] >= split]
        seen = log.set_index("transaction_id")
        matched = payments.loc[seen.index]
        good = []
        for column in seen.columns.difference(IDS):
            promised = notes.get(column, {}).get("available", "at_payment") == "at_payment"
            if promised and seen[column].equals(matched[column]):
                good.append(column)
        for part in (old, new):
            if set(part["is_fraud"]) != {True, False} or "amount_paise" not in good:
                raise ValueError("need amount_paise, and both kinds of labels in training days and holdout")
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename} is missing: {error}") from None
    except (KeyError, OSError) as error:
        raise ValueError(f"cannot use this export: {error}") from None
    rows_of = {"read": len(rows), "copies": len(rows) - len(payments), "waiting": len(payments) - len(final)}
    return facts, old, new, good, rows_of | {"train": len(old), "holdout": len(new)}


def train(data, out):
    facts, old, new, good, rows = load(data)
    costs = facts["costs_rupees"]
    text = [name for name in good if old[name].dtype == object]
    numbers = [name for name in good if name not in text]

    labels = old["is_fraud"].astype(bool)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    model = pipeline(numbers, text)
    trial = cross_val_predict(model, old[good], labels, cv=folds, method="predict_proba")[:, 1]
    candidates = np.exp(np.linspace(math.log(0.003), math.log(0.8), 160))
    bills = pd.Series([money(old, trial >= candidate, costs) for candidate in candidates])
    smooth = bills.rolling(9, center=True, min_periods=5).mean()  # one lucky payment should not decide
    threshold = float(candidates[smooth.idxmin()])

    model.fit(old[good], labels)
    found = model.predict_proba(new[good])[:, 1]
    truth = new["is_fraud"].astype(bool).to_numpy()
    capacity = facts["reviews_per_day"] * facts["holdout_days"]
    best = pd.Series(found).nlargest(capacity).index
    metrics = {
        "features": good,
        "rows": rows,
        "threshold": threshold,
        "holdout": {
            "frauds": int(truth.sum()),
            "pr_auc": average_precision_score(truth, found),
            "roc_auc": roc_auc_score(truth, found),
            "recall_at_capacity": truth[best].sum() / truth.sum(),
            "cost_rupees": money(new, pd.Series(found >= threshold, index=new.index), costs),
            "cost_allowing_all_rupees": money(new, pd.Series(False, index=new.index), costs),
        },
    }
    target = pathlib.Path(out)
    target.mkdir(parents=True, exist_ok=True)
    joblib.dump((good, model), target / "pipeline.joblib")
    (target / "metrics.json").write_text(json.dumps(metrics, default=float))
    return json.loads((target / "metrics.json").read_text())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    try:
        result = train(args.data, args.out)
    except ValueError as problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
    print(pd.json_normalize(result).T.to_string())
