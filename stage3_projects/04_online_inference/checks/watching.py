"""What the grader sees of a running service from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from labs.checks import Reply, Service, Work, close, show
from labs.errors import LabsError
from labs.services.scrape import Metrics, scrape

PATIENCE = 20.0  # seconds; only what hangs needs them
ABS = 1e-5
KEYS = ("transaction_id", "fraud_probability", "decision", "model_version", "features")
REQUESTS = "fraud_request_duration_seconds"

CPU_BY_THREAD = """
import glob, json, os
found = {}
for path in glob.glob("/proc/[0-9]*/task/[0-9]*/schedstat"):
    try:
        if path.split("/")[2] != str(os.getpid()):
            found["/".join(path.split("/")[2:5])] = int(open(path).read().split()[0])
    except OSError:
        pass
print(json.dumps(found))
"""


def metrics_of(service: Service) -> Metrics:
    """One scrape; what is no metrics text fails the check."""
    reply = service.get("/metrics").expect(status=200, hint="Prometheus asks `GET /metrics`.")
    kind = reply.headers.get("content-type", "")
    reply.require(
        kind.startswith(("text/plain", "application/openmetrics-text")),
        wanted="the Content-Type of Prometheus' text format",
        got=f"`{kind}`",
        hint="`prometheus_client.CONTENT_TYPE_LATEST` says it.",
    )
    try:
        return scrape(reply.text)
    except LabsError as error:
        reply.fail(wanted="Prometheus' text format", got=str(error).splitlines()[0][:160])


def until(service: Service, holds: Callable[[Metrics], bool], seconds: float = 5.0) -> Metrics:
    """Scrape until `holds`, or until the time is over: metrics may be a moment behind the reply."""
    deadline = time.monotonic() + seconds
    while True:
        found = metrics_of(service)
        if holds(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def expect_prediction(reply: Reply, case: Any, probability: float, origin: str, model: Any) -> None:
    """Status 200, everything that the contract names, the model's number, and where the features came from."""
    reply.expect(status=200, keys=KEYS)
    body = reply.json()
    reply.expect(
        json={"features": origin},
        hint="`features` says where the values came from; read the table in the contract.",
    )
    found = body["fraud_probability"]
    number = isinstance(found, float) or show(found) in ("0", "1")
    reply.require(
        number and close(found, probability, rel=0, abs=ABS),
        wanted=f"the model's own probability for these values, to within {ABS:.5f}",
        got="another number" if number else f"no probability: {show(found, 40)}",
        hint="Which values, in which unit, in which order, does the model get? For a fallback: exactly the defaults.",
        measured=f"{show(found, 40)} instead of {probability:.6f}",
    )
    reply.expect(
        json={
            "transaction_id": case.payment["transaction_id"],
            "decision": model.decision(probability),
            "model_version": model.version,
        }
    )


def renamed(reply: Reply, did: str) -> Reply:
    return replace(reply, did=did)


def cpu_by_thread(work: Work) -> dict[str, int]:
    """Nanoseconds of CPU of every thread in the sandbox, measured from inside of it."""
    script = work.give("cpu_by_thread.py", CPU_BY_THREAD)
    found: dict[str, int] = json.loads(work.run("python3", script).expect(status=0).stdout)
    return found


def busiest_share(before: dict[str, int], after: dict[str, int]) -> float:
    """The share of all CPU time between two looks that one thread used, of those of the busiest process."""
    used: dict[str, list[int]] = {}
    for thread, spent in after.items():
        used.setdefault(thread.split("/")[0], []).append(spent - before.get(thread, 0))
    busiest = max(used.values(), key=sum)
    return max(busiest) / max(sum(busiest), 1)
