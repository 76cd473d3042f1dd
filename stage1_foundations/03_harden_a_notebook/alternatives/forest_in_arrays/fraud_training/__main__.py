"""train and gate in one file, with pandas and a random forest."""

import getopt
import hashlib
import json
import os
import sys
import tomllib
from math import ceil
from pathlib import Path

from fraud_serving.__main__ import run, say, walk
from fraud_serving.rows import Broken, clean, table

DEFAULT = {"seed": 7, "holdout_days": 7, "review_share": 0.05}


def wrong(reason):
    say("ERROR", "refused to start", reason=reason)
    return 2


def settings(file, pairs):
    """The settings, or a text that says what is wrong with them."""
    try:
        merged = DEFAULT | tomllib.loads(Path(file).read_text())
    except (OSError, ValueError):
        return "the config file cannot be read"
    texts = {k: os.environ[f"FRAUD_{k.upper()}"] for k in DEFAULT if f"FRAUD_{k.upper()}" in os.environ}
    texts |= dict(pair.split("=", 1) if "=" in pair else (pair, "") for pair in pairs)
    for k, text in texts.items():
        try:
            merged[k] = json.loads(text)
        except ValueError:
            return f"{k} is no number"
    for k, v in merged.items():
        match k, v:
            case (("seed" | "holdout_days" | "review_share"), bool()):
                return f"{k} is true or false"
            case "seed", int() if v >= 0:
                pass
            case "holdout_days", int() if v > 0:
                pass
            case "review_share", (int() | float()) if 0 < v < 1:
                pass
            case _:
                return f"{k} is unknown, or cannot be what it is"
    return merged


def figures(frame):
    from sklearn.metrics import average_precision_score

    return {
        "rows": len(frame),
        "frauds": int(frame.y.sum()),
        "average_precision": float(average_precision_score(frame.y, frame.p)),
    }


def arrays(trees):
    """All trees in one set of arrays; the nodes of each tree are moved behind those of the tree before."""
    import numpy as np

    sizes = np.array([t.node_count for t in trees])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def moved(kids):
        return np.concatenate([np.where(k < 0, -1, k + r) for k, r in zip(kids, roots, strict=True)])

    values = [t.value[:, 0, :] for t in trees]
    return {
        "roots": roots,
        "left": moved([t.children_left for t in trees]),
        "right": moved([t.children_right for t in trees]),
        "feature": np.concatenate([t.feature for t in trees]),
        "split": np.concatenate([t.threshold for t in trees]),
        "value": np.concatenate([v[:, 1] / v.sum(axis=1) for v in values]),
    }


def train():
    options, rest = getopt.getopt(sys.argv[2:], "", ["config=", "data=", "out=", "set="])
    given = dict(options)
    if rest or not {"--config", "--data", "--out"} <= set(given):
        raise getopt.GetoptError("train --config FILE --data DIR --out DIR")
    config = settings(given["--config"], [v for k, v in options if k == "--set"])
    if isinstance(config, str):
        return wrong(config)
    out = Path(given["--out"])
    if out.exists() and (not out.is_dir() or os.listdir(out)):
        return wrong("--out is in use")

    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier

    rows, refused = [], 0
    for name in os.listdir(given["--data"]):
        if name.endswith(".jsonl"):
            for line in (Path(given["--data"]) / name).read_bytes().splitlines():
                try:
                    rows.append(clean(line, label=True))
                except Broken:
                    refused += 1
    frame = pd.DataFrame(rows)
    if frame.empty:
        say("ERROR", "no rows")
        return 1
    frame = frame.sort_values("id", ignore_index=True).astype(object).where(lambda f: f.notna(), None)
    frame["y"] = frame.y.astype(bool)
    frame["day"] = (frame.minutes // 1440).astype(int)
    last = sorted(frame.day.unique())[-config["holdout_days"] :]
    held = frame.day.isin(last)
    if not 0 < frame.y[~held].sum() < (~held).sum() or not frame.y[held].any():
        say("ERROR", "not enough rows", train=int((~held).sum()), holdout=int(held.sum()))
        return 1
    learn, test = frame[~held], frame[held].copy()
    words = {
        field: sorted(learn[field].dropna().unique().tolist()) for field in ("channel", "merchant_category")
    }
    x = table(learn.to_dict("records"), words)
    forest = RandomForestClassifier(60, max_depth=9, min_samples_leaf=4, random_state=config["seed"])
    forest.fit(x, learn.y)
    kept = arrays([tree.tree_ for tree in forest.estimators_])
    order = np.sort(walk(kept, x))[::-1]
    threshold = float(order[ceil(config["review_share"] * len(order)) - 1])
    digest = hashlib.sha1(json.dumps([threshold, words]).encode())
    for name in sorted(kept):
        digest.update(np.ascontiguousarray(kept[name]).tobytes())
    version = "forest-" + digest.hexdigest()[:10]

    test["p"] = forest.predict_proba(table(test.to_dict("records"), words))[:, 1]
    labels = "".join(f"{i}{'+' if y else '-'}" for i, y in zip(test.id, test.y, strict=True))
    metrics = {
        "config": {name: config[name] for name in DEFAULT},
        "holdout": {"id": hashlib.sha1(labels.encode()).hexdigest(), **figures(test)},
        "model_version": version,
        "rows": {"train": len(learn), "holdout": len(test), "refused": refused},
        "slices": {str(k): figures(g) for k, g in test.groupby("channel") if g.y.any()},
        "threshold": threshold,
    }
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "forest.npz", **kept)
    about = {"words": words, "threshold": threshold, "version": version}
    (out / "about.json").write_text(json.dumps(about))
    with open(out / "holdout_scores.jsonl", "w") as file:
        for i, p in zip(test.id, test.p, strict=True):
            file.write(f'{{"transaction_id": {i}, "fraud_probability": {float(p)!r}}}\n')
    (out / "metrics.json").write_text(json.dumps(metrics))
    print(json.dumps({"model_version": version}))
    return 0


def gate():
    options, rest = getopt.getopt(sys.argv[2:], "", ["champion=", "candidate="])
    given = dict(options)
    if rest or set(given) != {"--champion", "--candidate"}:
        raise getopt.GetoptError("gate --champion DIR --candidate DIR")
    try:
        old, new = (
            json.loads((Path(given[k]) / "metrics.json").read_text()) for k in ("--champion", "--candidate")
        )
        assert old["holdout"]["id"] == new["holdout"]["id"], "other rows"
        assert set(old["slices"]) == set(new["slices"]), "other slices"
        pairs = [("holdout", old["holdout"], new["holdout"], 0.005)]
        pairs += [(k, old["slices"][k], new["slices"][k], 0.05) for k in sorted(old["slices"])]
        against = []
        for name, was, now, slack in pairs:
            for one in (was, now):
                assert type(one["frauds"]) is int and one["frauds"] > 0, f"{name}: frauds"
                figure = one["average_precision"]
                assert type(figure) in (int, float) and 0 <= figure <= 1, f"{name}: average_precision"
            if name != "holdout" and was["frauds"] < 20:
                continue
            if round(was["average_precision"] - now["average_precision"], 9) > slack:
                against.append(f"{name} fell to {now['average_precision']:.3f}")
    except Exception as e:
        say("ERROR", "no decision", reason=str(e))
        return 2
    if against:
        say("ERROR", "refused", reasons=against)
    print(json.dumps({"decision": "refuse" if against else "promote", "reasons": against}))
    return 1 if against else 0


def main():
    acts = {"train": train, "gate": gate}
    if sys.argv[1:2] and sys.argv[1] in acts:
        return acts[sys.argv[1]]()
    raise getopt.GetoptError("train or gate")


if __name__ == "__main__":
    sys.exit(run(main))
