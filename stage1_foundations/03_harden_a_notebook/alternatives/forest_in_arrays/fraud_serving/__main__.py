"""predict: a forest kept in five arrays, walked with NumPy. Rows are scored one at a time, as they come."""

import getopt
import json
import os
import sys
import time

import numpy as np

from fraud_serving.rows import Broken, clean, table

RUN = os.urandom(8).hex()


def say(level, event, **more):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(json.dumps({"ts": now, "level": level, "event": event, "run_id": RUN, **more}), file=sys.stderr)


def run(act):
    """Call act; log how it went; return the exit status."""
    status = 1
    say("INFO", "started")
    try:
        status = act()
    except getopt.GetoptError as e:
        say("ERROR", "wrong command line", reason=str(e))
        status = 2
    except Exception as e:
        say("CRITICAL", "crashed", reason=type(e).__name__)
    finally:
        say("INFO", "finished", status=status)
    return status


def walk(forest, x):
    """The mean of all trees for each line of x: start at each root, go down until every node is a leaf (left == -1)."""
    node = np.tile(forest["roots"][:, None], (1, len(x)))
    column = np.arange(len(x))
    while True:
        inner = forest["left"][node] >= 0
        if not inner.any():
            # A sum's last digits depend on how many are added at a time; the threshold must hit its own row.
            return forest["value"][node].mean(axis=0).round(9)
        goes_left = x[column, np.maximum(forest["feature"][node], 0)] <= forest["split"][node]
        down = np.where(goes_left, forest["left"][node], forest["right"][node])
        node = np.where(inner, down, node)


def predict():
    options, rest = getopt.getopt(sys.argv[2:], "", ["model="])
    if sys.argv[1:2] != ["predict"] or len(options) != 1 or rest:
        raise getopt.GetoptError("predict --model DIR")
    folder = options[0][1]
    with np.load(os.path.join(folder, "forest.npz"), allow_pickle=False) as file:
        forest = dict(file)
    with open(os.path.join(folder, "about.json")) as file:
        about = json.load(file)
    bad = 0
    for line in sys.stdin.buffer:
        try:
            row = clean(line)
        except Broken as e:
            bad += 1
            say("WARNING", "refused", field=str(e))
            print(json.dumps({"transaction_id": None, "error": str(e)}))
            continue
        p = float(walk(forest, table([row], about["words"]))[0])
        print(
            json.dumps(
                {
                    "transaction_id": row["id"],
                    "fraud_probability": p,
                    "decision": "review" if p >= about["threshold"] else "allow",
                    "model_version": about["version"],
                }
            )
        )
    return 3 if bad else 0


if __name__ == "__main__":
    sys.exit(run(predict))
