"""Loads versions of the registry as anybody would, and says what they are and what they predict.

python3 look.py PAYMENTS.parquet NAME/VERSION …        (in the learner's sandbox, with MLFLOW_TRACKING_URI)
"""

import json
import sys
import warnings

import mlflow
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def look(version: str, payments: pd.DataFrame) -> dict:
    model = mlflow.pyfunc.load_model(f"models:/{version}", suppress_warnings=True)
    schema = model.metadata.get_input_schema()
    features = schema.input_names() if schema else []
    said = {
        "features": features,
        "has_outputs": bool(model.metadata.signature and model.metadata.signature.outputs),
        "threshold": (model.metadata.metadata or {}).get("threshold"),
        "has_example": bool(model.metadata.saved_input_example_info),
    }
    missing = [name for name in features if name not in payments]
    if missing or not features:
        return {**said, "missing": missing}
    found = np.asarray(model.predict(payments[features]))
    said["shape"] = list(found.shape)
    is_two_floats = found.ndim == 2 and found.shape[1] == 2 and found.dtype.kind == "f"
    if is_two_floats and np.all((found >= 0) & (found <= 1)):  # which NaN is not
        said["scores"] = found[:, 1].tolist()
    return said


print()
payments = pd.read_parquet(sys.argv[1])
print(json.dumps({"versions": [look(version, payments) for version in sys.argv[2:]]}))
