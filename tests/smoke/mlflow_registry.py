"""MLflow: log and register a tree model, point an alias at it, load it by the alias, predict."""

import tempfile

import mlflow
import mlflow.sklearn
import numpy as np
from mlflow.models import infer_signature
from sklearn.ensemble import HistGradientBoostingClassifier

work = tempfile.mkdtemp()
mlflow.set_tracking_uri(f"sqlite:///{work}/mlflow.db")
mlflow.create_experiment("churn", artifact_location=f"file://{work}/artifacts")
mlflow.set_experiment("churn")
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4))
model = HistGradientBoostingClassifier(max_iter=10).fit(X, X[:, 0] + X[:, 1] > 0)
wanted = model.predict_proba(X[:5])
with mlflow.start_run():
    mlflow.log_metric("auc", 0.9)
    info = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(X, wanted),
        pip_requirements=["scikit-learn"],
        skops_trusted_types=["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"],
        pyfunc_predict_fn="predict_proba",
        registered_model_name="churn",
    )
client = mlflow.MlflowClient()
client.set_registered_model_alias("churn", "champion", info.registered_model_version)
loaded = mlflow.pyfunc.load_model("models:/churn@champion")
np.testing.assert_allclose(loaded.predict(X[:5]), wanted)
assert client.get_model_version("churn", "1").aliases == ["champion"]
