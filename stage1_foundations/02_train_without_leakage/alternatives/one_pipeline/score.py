"""What the service imports."""

import os

import joblib


def score(model, payments):
    columns, pipeline = joblib.load(os.path.join(model, "pipeline.joblib"))
    for column in columns:
        if column not in payments.columns:
            raise ValueError(f"no column {column!r} in the payments")
    return pipeline.predict_proba(payments[columns])[:, 1] if len(payments) else []
