"""Prefect: on a server, a deployment's schedule brings runs by itself.

With a wrong SQLAlchemy the scheduler dies without a word while flows still run; only this shows it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import httpx

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
api = f"http://127.0.0.1:{port}/api"
os.environ["PREFECT_API_URL"] = api  # before Prefect is imported
command = [
    sys.executable,
    "-m",
    "prefect",
    "server",
    "start",
    "--host",
    "127.0.0.1",
    "--port",
    str(port),
    "--no-ui",
]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
try:
    from prefect import flow, get_client

    @flow
    def nightly(number: int | None = None) -> int:
        return number or 0

    def within(seconds: float, what: str, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, f"{what}: not within {seconds} s"
            assert server.poll() is None, f"the server ended with status {server.returncode}"
            time.sleep(0.5)

    def answers() -> bool:
        try:
            return httpx.get(f"{api}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    within(60, "the server is ready", answers)
    nightly.to_deployment(name="smoke", interval=timedelta(minutes=5), parameters={"number": None}).apply()
    with get_client(sync_client=True) as client:
        within(
            60,
            "the schedule brings runs",
            lambda: [run.state_name for run in client.read_flow_runs()].count("Scheduled") >= 2,
        )
finally:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
