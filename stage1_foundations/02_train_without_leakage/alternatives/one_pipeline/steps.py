"""The pipeline. It lives in a module of its own: joblib remembers by name where a function is from."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder


def ratio(frame):
    return (frame["amount_paise"] / frame["payer_mean_amount_30d_paise"]).to_frame()


def pipeline(numbers, text):
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    columns = ColumnTransformer([
        ("text", encoder, text),
        ("ratio", FunctionTransformer(ratio), ["amount_paise", "payer_mean_amount_30d_paise"]),
        ("numbers", "passthrough", numbers),
    ])  # fmt: skip
    trees = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.08,
        max_depth=3,
        min_samples_leaf=50,
        early_stopping=False,
        random_state=0,
    )
    return make_pipeline(columns, trees)
