"""Rows, sorted by model and then by latency, on stdin → the report on stdout."""

import json
import sys
from collections import Counter
from fractions import Fraction
from itertools import groupby
from math import ceil
from pathlib import Path


def rank(p, values):
    return float(values[ceil(Fraction(p, 100) * len(values)) - 1] / 1000)


def one_model(rows):
    everything, endpoints, errors = [], {}, 0
    for _, _, endpoint, error, micros in rows:
        everything.append(float(micros))
        endpoints.setdefault(json.loads(endpoint), []).append(float(micros))
        errors += int(error)
    slow = sorted((-rank(95, each), name, len(each)) for name, each in endpoints.items())[:3]
    return {
        "requests": len(everything),
        "errors": errors,
        "error_rate": errors / len(everything),
        "p50_ms": rank(50, everything),
        "p95_ms": rank(95, everything),
        "p99_ms": rank(99, everything),
        "slowest_endpoints": [{"endpoint": n, "requests": c, "p95_ms": -p} for p, n, c in slow],
    }


since, until, listing = sys.argv[1:]
lines, files = Counter(), {}
for entry in Path(listing).read_bytes().split(b"\0")[:-1]:
    state, counts, name = entry.decode("utf-8", "surrogateescape").split("\t", 2)
    read, bad, outside = map(int, counts.split() or (0, 0, 0))
    files[name] = {"lines": read, "bad": bad, "state": state}
    lines.update(read=read, bad=bad, outside_window=outside)
rows = (line.rstrip("\n").split("\t") for line in sys.stdin)
models = {json.loads(model): one_model(each) for model, each in groupby(rows, key=lambda row: row[0])}
lines["counted"] = sum(model["requests"] for model in models.values())
lines["duplicate"] = lines["read"] - lines["counted"] - lines["bad"] - lines["outside_window"]
report = {
    "since": None if since == "-" else since,
    "until": None if until == "-" else until,
    "lines": {key: lines[key] for key in ("read", "counted", "bad", "outside_window", "duplicate")},
    "files": files,
    "models": models,
}
print(json.dumps(report, indent=1))
