"""MLflow without the plugin that Feast brings along.

MLflow loads every installed plugin at the first call to a server, and Feast registers one: each command would import
all of Feast, some ten seconds, for a header that we do not send. Import this module before the first call.
"""

from __future__ import annotations

import sys
import warnings

import mlflow

__all__ = ["mlflow"]

sys.modules.setdefault("feast.infra.data_sources.mlflow.auth", None)  # type: ignore[arg-type]
warnings.filterwarnings("ignore", message="Failure attempting to register request header provider")
