"""The solution of the lab `online_inference`, with its look-ups in a real Redis, against `mlflow models serve`.

    python benchmarks/online_inference.py [--rounds 7] [--seconds 0.7] [--also FOLDER …]

One uvicorn worker each, the same trees, one row per request. "look-up each time" asks Redis for every payment
(CACHE_SECONDS=0); "from the cache" asks it once per payer. MLflow serves the pipeline of `benchmarks/serving.py` and
gets the payer's features with the request. One load generator drives all in turn, round after round; the table shows
medians over rounds, and ratios as the median of each round's own ratio. `--also` takes folders of the lab.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import serving
from serving import CONCURRENCIES, MLFLOW, ROOT, Burst, Target

LAB = ROOT / "stage3_projects" / "04_online_inference"
PAYERS = 400
ASKING, CACHED = "look-up each time", "from the cache"


@contextmanager
def real_redis(folder: Path) -> Iterator[str]:
    """A redis-server of our own, without persistence, for as long as the block lasts."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("no redis-server on this machine")
    port = serving.free_port()
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        import redis

        client = redis.Redis(port=port)
        deadline = time.monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def started(stack: ExitStack, scratch: Path, also: Sequence[str]) -> tuple[list[Target], list[float]]:
    """All servers, running, and scikit-learn's own probabilities of the rows that they are sent."""
    sys.path.insert(0, str(LAB / "checks"))
    serving.LAB = LAB  # so that `overlaid` and `fitted` use this lab
    import numpy as np
    import pandas as pd
    import redis

    import payers
    from model_maker import FEATURES

    pipeline, model = serving.fitted()
    (scratch / "fraud.onnx").write_bytes(model.content)
    cases = payers.Draws(1).cases(np.random.default_rng(1), PAYERS)
    url = stack.enter_context(real_redis(scratch))
    payers.put(redis.Redis.from_url(url), cases)
    frame = pd.DataFrame([case.row for case in cases])[list(FEATURES)]
    frame["payer_merchant_is_new"] = frame["payer_merchant_is_new"].astype(float)
    for name in ("device_age_days", "distance_km"):
        frame[name] = frame[name].astype(float)
    bodies = tuple(json.dumps(case.payment).encode() for case in cases)
    env = {"MODEL_PATH": str(scratch / "fraud.onnx"), "REDIS_URL": url, "LOOKUP_TIMEOUT_MS": "2000"}
    targets = []

    def serve(name: str, folder: Path, cache_seconds: str) -> None:
        port = serving.free_port()
        command = ["uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(port)]
        settings = env | {"CACHE_SECONDS": cache_seconds}
        stack.enter_context(serving.server(command, folder, port, "/readyz", settings))
        targets.append(
            Target(name, port, "/predict", bodies, lambda reply: float(reply["fraud_probability"]))
        )

    for folder in ("solution", *also):
        place = (
            LAB / folder if folder == "solution" else serving.overlaid(folder, scratch / Path(folder).name)
        )
        serve(f"{folder}, {ASKING}", place, "0")
        serve(f"{folder}, {CACHED}", place, "3600")
    serving.save_for_mlflow(pipeline, frame, scratch / "mlflow")
    port = serving.free_port()
    command = ["mlflow", "models", "serve", "--env-manager", "local", "--host", "127.0.0.1"]
    command += ["--port", str(port), "-m", str(scratch / "mlflow")]
    stack.enter_context(serving.server(command, scratch, port, "/ping", {}))
    asked = tuple(serving._mlflow_body(frame.iloc[[row]]) for row in range(len(frame)))
    targets.append(
        Target(MLFLOW, port, "/invocations", asked, lambda reply: float(reply["predictions"][0][1]))
    )
    return targets, pipeline.predict_proba(frame)[:, 1].tolist()


def show(found: dict[tuple[int, str], list[Burst]], targets: Sequence[Target]) -> None:
    """A Markdown table."""
    print(f"\n| | clients | requests/s | p95 ms | × {MLFLOW} |\n|---|---|---|---|---|")
    for concurrency in CONCURRENCIES:
        peer = found[concurrency, MLFLOW]
        for target in targets:
            bursts = found[concurrency, target.name]
            ratio = statistics.median(one.rps / two.rps for one, two in zip(bursts, peer, strict=True))
            rps, p95 = (
                statistics.median(getattr(one, field) for one in bursts) for field in ("rps", "p95_ms")
            )
            print(f"| {target.name} | {concurrency} | {rps:,.0f} | {p95:.2f} | {ratio:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--also", nargs="*", default=[], metavar="FOLDER")
    asked: Any = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets, wanted = started(stack, scratch, asked.also)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
        for target in targets:
            worst = serving.parity(target, wanted)
            print(f"{target.name}: within {worst:.1e} of scikit-learn on {len(wanted)} rows")
        show(asyncio.run(serving.measure(targets, asked.rounds, asked.seconds)), targets)


if __name__ == "__main__":
    main()
