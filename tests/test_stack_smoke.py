"""Every library of the lock does its job, end to end, offline, and leaves nothing running.

A resolver is content with sets in which no Prefect flow can run; so is an import. Only using each library shows
whether the set works. Each file in tests/smoke/ runs in a process of its own, two at a time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

SMOKE = Path(__file__).parent / "smoke"
SCRIPTS = sorted(path.stem for path in SMOKE.glob("*.py"))
SLOWEST_FIRST = ("prefect_schedule", "prefect_flow", "mlflow_registry", "feast_store", "evidently_gate")
# SMOKE_PYTHON runs the same scripts in another environment: `make uncapped` does.
PYTHON = os.environ.get("SMOKE_PYTHON", sys.executable)
SECONDS = 240
MARK = "LABS_SMOKE_RUN"

# Put in front of sys.path as sitecustomize: notes and refuses every address that is not this machine.
OFFLINE = """
import os, sys

_LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "", None}

def _refuse(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host in _LOCAL or str(host).startswith("127.") or host == _HOSTNAME:
        return
    with open(os.environ["LABS_SMOKE_NETWORK"], "a") as log:
        log.write(f"{event} {host} in {sys.argv}\\n")
    raise OSError(f"offline by order of the smoke test: {host}")

_HOSTNAME = os.uname().nodename
sys.addaudithook(_refuse)
"""


@dataclass(frozen=True)
class Outcome:
    status: int | None
    output: str
    seconds: float
    network: str
    left_running: tuple[str, ...]


def environment(home: Path, mark: str) -> dict[str, str]:
    """Nothing of the caller's but PATH: private folders, telemetry off, one OpenMP thread."""
    scratch = home / "tmp"
    hook = home / "hook"
    for folder in (scratch, hook):
        folder.mkdir()
    (hook / "sitecustomize.py").write_text(OFFLINE)
    return {
        "PATH": os.pathsep.join([str(Path(PYTHON).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "PREFECT_HOME": str(home / "prefect"),
        "PYTHONPATH": str(hook),
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
        MARK: mark,
        "LABS_SMOKE_NETWORK": str(home / "network.log"),
    }


def run(script: str) -> Outcome:
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="smoke-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        variables = environment(home, mark)
        work = home / "work"
        work.mkdir()
        started = time.monotonic()
        with (home / "output.log").open("wb") as log:
            child = subprocess.Popen(
                [PYTHON, str(SMOKE / f"{script}.py")],
                cwd=work,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status: int | None = child.wait(SECONDS)
            except subprocess.TimeoutExpired:
                status = None
        seconds = time.monotonic() - started
        left = end_what_is_left(mark, patience=5 if status is not None else 0)
        child.wait()
        network = home / "network.log"
        return Outcome(
            status,
            (home / "output.log").read_text(errors="replace"),
            seconds,
            network.read_text() if network.exists() else "",
            left,
        )


def end_what_is_left(mark: str, patience: float) -> tuple[str, ...]:
    """Name and kill what still runs with our mark in its environment, after `patience` seconds to leave by itself."""
    until = time.monotonic() + patience
    while (alive := marked(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    names = []
    for process in alive:
        try:
            names.append(" ".join(process.cmdline())[:200])
            process.kill()
        except psutil.Error:
            continue
    return tuple(names)


def marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Outcome]]]:
    """The scripts that this session asked for, all under way, two at a time, the slowest first."""
    asked = {
        item.callspec.params["script"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and hasattr(item, "callspec")
    }
    ordered = sorted(asked, key=lambda name: (*(name != slow for slow in SLOWEST_FIRST), name))
    with ThreadPoolExecutor(2) as pool:
        yield {script: pool.submit(run, script) for script in ordered}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_library_does_its_job(script: str, outcomes: Mapping[str, Future[Outcome]]) -> None:
    outcome = outcomes[script].result()
    said = f"{script} after {outcome.seconds:.1f} s:\n{outcome.output[-4000:]}"
    assert outcome.status == 0, "no end in time: " + said if outcome.status is None else said
    assert not outcome.left_running, f"{script} left processes running: {outcome.left_running}"
    assert not outcome.network, f"{script} asked for the network:\n{outcome.network}"
