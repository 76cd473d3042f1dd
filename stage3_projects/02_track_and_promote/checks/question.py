"""Asks MLflow one question over HTTP: the least that any command must do."""

import os

import httpx

print(httpx.get(f"{os.environ['MLFLOW_TRACKING_URI']}/health").status_code)
