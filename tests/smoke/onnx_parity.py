"""ONNX: a gradient-boosting model exported, and onnxruntime's answers equal to scikit-learn's."""

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.ensemble import HistGradientBoostingClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 6)).astype(np.float32)
model = HistGradientBoostingClassifier(max_iter=20).fit(X, X[:, 0] * X[:, 1] > 0)
exported = to_onnx(model, X[:1], options={"zipmap": False}).SerializeToString()
session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
label, probability = session.run(None, {session.get_inputs()[0].name: X})
np.testing.assert_allclose(probability, model.predict_proba(X), atol=1e-5)
assert (label == model.predict(X)).all()
