"""How long it takes until a service answers, from nothing; until a second `labs up` says so; and in a check.

    python benchmarks/services.py [SERVICE …] [--rounds 5]

Cold is `labs up SERVICE` as a whole command, with an empty folder. Its peer is the same library's own way to start
(`redis-server`, `moto_server`, `mlflow server`, `prefect server start`), until it answers the same question. Warm is a
fork of a grader's warm parent, as a check gets it. Times are medians; a bare `python -c pass` shows the machine's mood.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from labs.catalog import ROOT
from labs.grading import Grader
from labs.grading.services import Services
from labs.machine import EMBEDDED
from labs.services import KINDS
from labs.services.tiers import Spot

BIN = Path(sys.executable).parent
WARM = {
    "mlflow": ("uvicorn", "mlflow.server.fastapi_app", "mlflow.store.tracking.sqlalchemy_store"),
    "prefect": ("uvicorn", "prefect.server.api.server"),
    "redis": ("fakeredis",),
    "aws": ("moto.moto_server.werkzeug_app", "moto.iam.models"),
    "kubernetes": ("uvicorn", "labs.services.kubernetes.server"),
}


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("names", nargs="*", default=list(WARM))
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    print(f"{'service':11} {'cold':>7} {'peer':>7} {'again':>7} {'warm':>7}   load  python -c pass")
    for name in given.names:
        measure(name, given.rounds)
    return 0


def measure(name: str, rounds: int) -> None:
    cold, again, peer, warm, bare = [], [], [], [], []
    up(
        name, Path(tempfile.mkdtemp())
    )  # the first one ever lays out the tables of MLflow and Prefect: not counted
    with Grader(ROOT, warm=WARM[name]) as grader, tempfile.TemporaryDirectory() as folder:
        grader.wait_until_warm()
        for number in range(rounds):
            bare.append(timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)))
            first, second = up(name, Path(tempfile.mkdtemp()))
            cold.append(first)
            again.append(second)
            if name in PEERS:
                peer.append(peer_until_it_answers(name))
            place = Services(str(grader.place.warm), Path(folder) / str(number), EMBEDDED, lambda tier: None)
            warm.append(timed(lambda place=place: place.up(name).stop()))  # type: ignore[misc]
    columns = [
        f"{statistics.median(times):6.2f}s" if times else "      –" for times in (cold, peer, again, warm)
    ]
    mood = statistics.median(bare) * 1000
    print(f"{name:11} {' '.join(columns)}   {os.getloadavg()[0]:4.1f}  {mood:.0f} ms", flush=True)


def up(name: str, work: Path) -> tuple[float, float]:
    """Seconds of the first `labs up`, and of a second one while it runs."""
    command = [str(BIN / "labs"), "up", name]
    environment = {**os.environ, "LABS_WORK": str(work)}

    def run() -> None:
        subprocess.run(command, env=environment, check=True, capture_output=True)

    try:
        return timed(run), timed(run)
    finally:
        subprocess.run([*command[:1], "down"], env=environment, check=True, capture_output=True)
        shutil.rmtree(work, ignore_errors=True)


PEERS: dict[str, Callable[[int, Path], list[str]]] = {
    "mlflow": lambda port, data: [
        str(BIN / "mlflow"), "server", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{data}/m.db", "--artifacts-destination", str(data / "a"),
    ],
    "prefect": lambda port, data: [str(BIN / "prefect"), "server", "start", "--port", str(port), "--no-ui"],
    "aws": lambda port, data: [str(BIN / "moto_server"), "-p", str(port)],
}  # fmt: skip
if shutil.which("redis-server"):
    PEERS["redis"] = lambda port, data: ["redis-server", "--port", str(port), "--dir", str(data)]


def peer_until_it_answers(name: str) -> float:
    """Seconds until the library's own server, started as its documentation says, answers the same question."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        spot, data = Spot(port, Path(folder)), Path(folder)
        environment = {
            **os.environ,
            "PREFECT_HOME": folder,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
        }
        began = time.perf_counter()
        server = subprocess.Popen(
            PEERS[name](port, data),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while not KINDS[name].tiers[EMBEDDED].answers(spot):
                if server.poll() is not None or time.perf_counter() - began > 120:
                    raise SystemExit(f"{name}: its own server did not start")
                time.sleep(0.02)
            return time.perf_counter() - began
        finally:
            os.killpg(server.pid, 15)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, 9)
                server.wait()


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
