"""The fraud service of the lab `serve_a_model`, against a bare route and against `mlflow models serve`.

    python benchmarks/serving.py [--rounds 7] [--seconds 0.7] [--without-mlflow] [--also FOLDER …]

All serve one row per request with one uvicorn worker and the same settings; one load generator drives them in turn,
round after round, so that a busy moment of the machine touches all alike. The table shows medians over rounds, and
ratios as the median of each round's own ratio. The bare route returns a constant and looks at nothing; beside it stands
the same route with the body validated in FastAPI's usual way. MLflow serves what a data scientist logs: the pipeline
from a raw transaction to a probability, over the same trees as the ONNX file. `--also` takes folders of the lab, such
as `alternatives/starlette_without_fastapi` or `mistakes/reloads_the_model_for_each_request`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "stage1_foundations" / "06_serve_a_model"
BARE, VALIDATED, SOLUTION = "bare FastAPI route", "the same, body validated", "solution"
MLFLOW = "mlflow models serve"
VALIDATED_SOURCE = """
from bare import app, predict
from contract import Transaction
from fastapi import FastAPI

app = FastAPI()


@app.post("/predict")
async def validated(transaction: Transaction) -> dict[str, int | float | str]:
    return await predict()
"""
CONCURRENCIES = (1, 16)
PARITY_ROWS = 400
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # mlflow starts `uvicorn` by name
    "OMP_NUM_THREADS": "1",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONDONTWRITEBYTECODE": "1",
    "UVICORN_ACCESS_LOG": "false",
    "UVICORN_LOG_LEVEL": "warning",
}


@dataclass(frozen=True)
class Target:
    """One server: where it listens, and the requests to send it."""

    name: str
    port: int
    path: str
    bodies: tuple[bytes, ...]
    probability: Callable[[Any], float] | None = None  # from a reply's JSON

    def frames(self) -> list[bytes]:
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        return [head.encode() + b"%d\r\n\r\n" % len(body) + body for body in self.bodies]


@dataclass(frozen=True)
class Burst:
    rps: float
    p95_ms: float


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last reply is whole, until `deadline`."""

    def __init__(self, frames: Sequence[bytes], first: int, deadline: float, times: list[float]) -> None:
        self.frames, self.position, self.deadline, self.times = frames, first, deadline, times
        self.buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.frames[self.position % len(self.frames)])
        self.position += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        if not end or len(body) < int(head[at + 15 :].split(b"\r\n", 1)[0]):
            return
        now = time.perf_counter()
        self.times.append(now - self.started)
        self.buffer = b""
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(f"{head[:40]!r} {body[:200]!r}"))
        elif now < self.deadline:
            self.send()
        else:
            self.done.set_result(None)
            self.transport.close()


async def burst(target: Target, concurrency: int, seconds: float) -> Burst:
    times: list[float] = []
    frames = target.frames()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    connections = []
    for number in range(concurrency):
        make = Connection(frames, number * 7, started + seconds, times)
        await loop.create_connection(lambda make=make: make, "127.0.0.1", target.port)
        connections.append(make)
    await asyncio.gather(*(one.done for one in connections))
    elapsed = time.perf_counter() - started
    return Burst(len(times) / elapsed, statistics.quantiles(times, n=20)[-1] * 1000)


async def measure(
    targets: Sequence[Target], rounds: int, seconds: float
) -> dict[tuple[int, str], list[Burst]]:
    found: dict[tuple[int, str], list[Burst]] = {}
    for target in targets:
        await burst(target, 4, 0.5)  # warm up
    for concurrency in CONCURRENCIES:
        for _ in range(rounds):
            for target in targets:
                found.setdefault((concurrency, target.name), []).append(
                    await burst(target, concurrency, seconds)
                )
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def server(
    command: Sequence[str], folder: Path, port: int, ready: str, env: dict[str, str]
) -> Iterator[None]:
    """Run a server in a process group of its own until `GET ready` says 200; end the whole group afterwards."""
    process = subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT | env, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}{ready}"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"did not start: {' '.join(command)} (in {folder})")
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def overlaid(variant: str, target: Path) -> Path:
    """The solution with one of the lab's variants laid over it, in `target`."""
    shutil.copytree(LAB / "solution", target, ignore=shutil.ignore_patterns("__pycache__"))
    removed = LAB / variant / "removed.txt"
    for name in removed.read_text().split() if removed.exists() else ():
        (target / name).unlink()
    shutil.copytree(
        LAB / variant, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.txt", "__pycache__")
    )
    return target


def fitted() -> tuple[Any, Any]:
    """The model as a data scientist logs it, from a raw transaction to a probability, and as the lab's ONNX file."""
    import numpy as np
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from model_maker import CHANNELS, FEATURES, Trained, exported, new_trees, training_days

    frame, is_fraud = training_days(1, np.random.default_rng(1))
    encoded = OrdinalEncoder(categories=[list(CHANNELS)])
    columns = make_column_transformer((encoded, ["channel"]), remainder="passthrough")
    pipeline = make_pipeline(columns, new_trees()).fit(frame, is_fraud)
    features = ("channel", *(name for name in FEATURES if name != "channel"))
    return pipeline, exported(Trained(pipeline[-1], "benchmark", features, CHANNELS, 0.5))


def save_for_mlflow(pipeline: Any, frame: Any, folder: Path) -> None:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    mlflow.sklearn.save_model(
        pipeline,
        folder,
        signature=infer_signature(frame, pipeline.predict_proba(frame)),
        pip_requirements=["scikit-learn"],
        skops_trusted_types=TRUSTED,
        pyfunc_predict_fn="predict_proba",
    )


def started(
    stack: ExitStack, scratch: Path, also: Sequence[str], with_mlflow: bool
) -> tuple[list[Target], list[float]]:
    """All servers, running, and the probabilities that scikit-learn gives for the rows that they are sent."""
    sys.path.insert(0, str(LAB / "checks"))
    import numpy as np
    import pandas as pd

    from model_maker import FEATURES, draw_transactions

    pipeline, model = fitted()
    (scratch / "fraud.onnx").write_bytes(model.content)
    transactions = draw_transactions(1, np.random.default_rng(1), PARITY_ROWS)
    frame = pd.DataFrame(transactions)[list(FEATURES)]
    bodies = tuple(json.dumps(one).encode() for one in transactions)
    env = {"MODEL_PATH": str(scratch / "fraud.onnx")}
    (scratch / "validated.py").write_text(VALIDATED_SOURCE)
    env["PYTHONPATH"] = os.pathsep.join(str(LAB / folder) for folder in ("checks", "solution"))
    targets = []

    def serve(name: str, folder: Path, app: str, ready: str) -> None:
        port = free_port()
        command = ["uvicorn", app, "--host", "127.0.0.1", "--port", str(port)]
        stack.enter_context(server(command, folder, port, ready, env))
        constant = name in (BARE, VALIDATED)
        probability = None if constant else lambda reply: float(reply["fraud_probability"])
        targets.append(Target(name, port, "/predict", bodies, probability))

    serve(BARE, LAB / "checks", "bare:app", "/openapi.json")
    serve(VALIDATED, scratch, "validated:app", "/openapi.json")
    serve(SOLUTION, LAB / "solution", "app:app", "/readyz")
    for number, variant in enumerate(also):
        serve(variant, overlaid(variant, scratch / f"variant{number}"), "app:app", "/readyz")
    if with_mlflow:
        save_for_mlflow(pipeline, frame, scratch / "mlflow")
        port = free_port()
        command = [
            "mlflow",
            "models",
            "serve",
            "--env-manager",
            "local",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        stack.enter_context(server([*command, "-m", str(scratch / "mlflow")], scratch, port, "/ping", {}))
        asked = tuple(_mlflow_body(frame.iloc[[row]]) for row in range(len(frame)))
        targets.append(
            Target(MLFLOW, port, "/invocations", asked, lambda reply: float(reply["predictions"][0][1]))
        )
    return targets, pipeline.predict_proba(frame)[:, 1].tolist()


def _mlflow_body(row: Any) -> bytes:
    return f'{{"dataframe_split": {row.to_json(orient="split", index=False, double_precision=15)}}}'.encode()


def parity(target: Target, wanted: Sequence[float]) -> float:
    """The largest difference between a server's probabilities and scikit-learn's own."""
    assert target.probability is not None
    worst = 0.0
    for body, probability in zip(target.bodies, wanted, strict=True):
        url = f"http://127.0.0.1:{target.port}{target.path}"
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=10) as reply:
            worst = max(worst, abs(target.probability(json.load(reply)) - probability))
    return worst


def show(found: dict[tuple[int, str], list[Burst]], targets: Sequence[Target]) -> None:
    names = [target.name for target in targets]
    against = [name for name in (BARE, MLFLOW) if name in names]
    width = max(map(len, names))
    print(f"\n{'':{width}}  clients  requests/s    p95 ms" + "".join(f"  × {name}" for name in against))
    for concurrency in CONCURRENCIES:
        for name in names:
            bursts = found[concurrency, name]
            line = f"{name:{width}}  {concurrency:7}  {_median(bursts, 'rps'):10,.0f}  {_median(bursts, 'p95_ms'):8.2f}"
            for other in against:
                pairs = zip(bursts, found[concurrency, other], strict=True)
                line += f"  {statistics.median(one.rps / two.rps for one, two in pairs):{len(other) + 2}.2f}"
            print(line)


def _median(bursts: Sequence[Burst], field: str) -> float:
    return statistics.median(getattr(one, field) for one in bursts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--without-mlflow", action="store_true")
    parser.add_argument("--also", nargs="*", default=[], metavar="FOLDER")
    asked = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets, wanted = started(stack, scratch, asked.also, not asked.without_mlflow)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
        for target in targets:
            if target.probability is not None:
                print(
                    f"{target.name}: within {parity(target, wanted):.1e} of scikit-learn on {len(wanted)} rows"
                )
        show(asyncio.run(measure(targets, asked.rounds, asked.seconds)), targets)


if __name__ == "__main__":
    main()
