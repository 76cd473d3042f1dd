"""scikit-learn and pandas: a pipeline with a column transformer learns a frame and beats chance."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

rng = np.random.default_rng(0)
frame = pd.DataFrame({"amount": rng.exponential(size=2000), "city": rng.choice(["Pune", "Delhi"], 2000)})
label = (frame["amount"] > 1) ^ (frame["city"] == "Pune")
train, test, y_train, y_test = train_test_split(frame, label, random_state=0)
model = make_pipeline(
    make_column_transformer((OrdinalEncoder(), ["city"]), remainder="passthrough"),
    HistGradientBoostingClassifier(max_iter=20),
).fit(train, y_train)
assert roc_auc_score(y_test, model.predict_proba(test)[:, 1]) > 0.99
