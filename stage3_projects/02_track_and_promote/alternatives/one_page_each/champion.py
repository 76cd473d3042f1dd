"""A thread follows the alias; whoever decides takes the latest whole answer and never waits for the registry."""

import json
import os
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import mlflow
import pandas as pd

sys.modules.setdefault("feast.infra.data_sources.mlflow.auth", None)
NAME = os.environ.get("MODEL_NAME", "fraud")
_latest = None
_asked_once = threading.Event()


def _who():
    query = urllib.parse.urlencode({"name": NAME, "alias": "champion"})
    url = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/registered-models/alias?{query}"
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return int(json.load(reply)["model_version"]["version"])
    except urllib.error.HTTPError:
        return None


def _follow():
    global _latest
    while True:
        try:
            version = _who()
            if version and (_latest is None or _latest[0] != version):
                _latest = (version, mlflow.pyfunc.load_model(f"models:/{NAME}/{version}"))
        except Exception as error:
            print("champion: going on with what we have:", error, file=sys.stderr)
        _asked_once.set()
        time.sleep(0.3)


def decide(rows):
    if not _asked_once.is_set():
        if not any(thread.name == "follow" for thread in threading.enumerate()):
            threading.Thread(target=_follow, name="follow", daemon=True).start()
        _asked_once.wait(30)
    if _latest is None:
        raise LookupError("no champion")
    version, model = _latest
    schema = model.metadata.get_input_schema()
    columns = {column.name: column.type.to_pandas() for column in schema.inputs}
    table = pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in columns.items()}
    )
    scores = model.predict(table)[:, 1]
    threshold = model.metadata.metadata["threshold"]
    block = [bool(score >= threshold) for score in scores]
    return {"version": version, "threshold": threshold, "scores": [float(s) for s in scores], "block": block}
