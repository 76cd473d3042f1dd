"""The gate, with MLflow's own client. The history is a chain: each champion's tag names the champion before it."""

import argparse
import json
import math
import sys
import time

import mlflow
import numpy as np
from mlflow.models import Model

import measures


def judge_card(client, entry, description):
    run = client.get_run(entry.run_id)
    try:
        card = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/model_card.json"))
        assert isinstance(card, dict)
    except Exception:
        return {"card"}
    bad = {
        word
        for word in ("owner", "intended_use", "not_for", "limitations")
        if not str(card.get(word) or "").strip()
    }
    threshold = (description.metadata or {}).get("threshold")
    schema = description.get_input_schema()
    names = schema.input_names() if schema else None
    for key, true in {
        "model": entry.name,
        "data_sha256": run.data.params.get("data_sha256"),
        "features": names,
    }.items():
        if card.get(key) != true:
            bad.add(key)
    if threshold is None or not np.isclose(card.get("threshold", math.nan), threshold, rtol=0, atol=1e-9):
        bad.add("threshold")
    said, true = card.get("metrics") or {}, run.data.metrics
    if said.keys() != true.keys() or any(abs(said[key] - true[key]) > 1e-9 for key in true):
        bad.add("metrics")
    return {f"card.{key}" for key in bad}


def reigned(client, name, version):
    """The version, and every champion before it."""
    while version:
        yield version
        version = int(client.get_model_version(name, str(version)).tags.get("champion_before", 0))


def figures(folder, description, data):
    model, threshold = mlflow.pyfunc.load_model(folder), description.metadata["threshold"]
    table = data[description.get_input_schema().input_names()]
    scores = model.predict(table)[:, 1]
    took = []
    for place in range(0, 60 * 97, 97):
        row = table.iloc[[place % len(table)]]
        start = time.perf_counter_ns()
        model.predict(row)
        took.append((time.perf_counter_ns() - start) / 1e6)
    return {
        "pr_auc": measures.ranking(data, scores),
        "cost_rupees": measures.cost(data, scores, threshold),
        "slices": measures.slices(data, scores, 50),
        "p95_ms": sorted(took)[56],
    }


def compare(new, old):
    yield "pr_auc", old["pr_auc"] - new["pr_auc"] > 0.01
    yield "cost", new["cost_rupees"] > 1.05 * old["cost_rupees"]
    yield "latency", new["p95_ms"] - old["p95_ms"] > 200
    for name in old["slices"]:
        yield f"slice.{name}", old["slices"][name] - new["slices"][name] > 0.02


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--data", required=True)
    asked = parser.parse_args()
    client, name = mlflow.MlflowClient(), measures.MODEL
    now = client.get_registered_model(name).aliases.get("champion")
    now = None if now is None else int(now)
    said = {"version": asked.version, "champion_before": now}
    reasons = set()
    if asked.version in reigned(client, name, now):
        reasons.add("champion")
    else:
        entry = client.get_model_version(name, str(asked.version))
        folder = mlflow.artifacts.download_artifacts(f"models:/{name}/{asked.version}")
        description = Model.load(folder)
        reasons |= judge_card(client, entry, description)
        if measures.folder_hash(folder) != entry.tags.get("artifact_sha256"):
            reasons.add("artifact")
        if not isinstance((description.metadata or {}).get("threshold"), float):
            reasons.add("threshold")
        other = None if now is None else mlflow.artifacts.download_artifacts(f"models:/{name}/{now}")
        signature = description.signature
        if signature is None or (other and signature != Model.load(other).signature):
            reasons.add("signature")
        if not reasons & {"artifact", "threshold", "signature"}:
            data = measures.load(asked.data)
            new = said["challenger"] = figures(folder, description, data)
            if other:
                old = said["champion"] = figures(other, Model.load(other), data)
                reasons |= {reason for reason, broken in compare(new, old) if broken}
            elif new["pr_auc"] < 5 * data.is_fraud.mean():
                reasons.add("pr_auc")
    said |= {"verdict": "refused" if reasons else "promoted", "reasons": sorted(reasons)}
    client.set_model_version_tag(name, str(asked.version), "gate", said["verdict"])
    client.set_model_version_tag(name, str(asked.version), "gate_reasons", json.dumps(said["reasons"]))
    if not reasons:
        client.set_model_version_tag(name, str(asked.version), "champion_before", str(now or 0))
        client.set_registered_model_alias(name, "champion", str(asked.version))
    print(json.dumps(said))
    return bool(reasons)


if __name__ == "__main__":
    sys.exit(main())
