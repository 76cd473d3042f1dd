"""Runs triage.sh over logs, and says what is wrong with what came of it."""

from __future__ import annotations

import json
from typing import Any

from log_maker import Request
from right_report import first_difference, of_models

OLD = b'{"models": {"yesterday": {"requests": 1}}}\n'
CAP_MB = 128


def put(work, logs, folder="logs"):
    for name, data in logs.items():
        work.put(f"{folder}/{name}", data)


def triage(work, logs, *options, wanted, folder="logs", status=0, hint="", memory_mb=0):
    """Put the logs there, run triage.sh over them, and compare its report with what is wanted of it."""
    put(work, logs, folder)
    words = ("bash", "triage.sh", *options, folder, "report.json")
    finished = work.run(*words, timeout=60, memory_mb=memory_mb)
    return agrees(work, finished, wanted, "report.json", status, hint)


def agrees(work, finished, wanted, path="report.json", status=0, hint=""):
    """The run ended with `status`, and its report holds at least what is wanted."""
    if finished.killed:
        reasons = {"memory": f"more than {CAP_MB} MB of memory", "time": "no end after 60 s"}
        got = f"it was stopped: {reasons.get(finished.killed, finished.killed)}"
        finished.fail(wanted="a report", got=got, hint=hint, measured=f"{finished.peak_mb:.0f} MB at most")
    finished.expect(status=status, hint=hint)
    report = work.read(path).expect(hint="Write the report to the path that REPORT names.")
    try:
        difference = first_difference(json.loads(report.bytes), wanted)
    except (ValueError, RecursionError):
        difference = f"JSON in `{path}`", f"{len(report.bytes):,} bytes of something else"
    if difference:
        finished.fail(wanted=difference[0], got=difference[1], hint=hint)
    return report


def has_failed(finished, hint=""):
    """The exit status says "no report", and is none of those with a meaning of their own."""
    failed = finished.status not in (0, 2, 3, 4)
    finished.require(failed, wanted="exit status 1", got=f"exit status {finished.status}", hint=hint)


def is_honest(work, finished, requests, hint):
    """Either it says that it failed, and all is as before; or it managed, and its report is right.

    A design that does not use the broken program is right to succeed.
    """
    if finished.status == 0:
        agrees(work, finished, counts_of(requests, "p95_ms"), "out/report.json", hint=hint)
    elif finished.status == 3:  # a dead `zcat` looks like a damaged log: fine, if the report says so
        agrees(work, finished, {"files": {"a.jsonl.gz": {"state": "damaged"}}}, "out/report.json", 3, hint)
    else:
        has_failed(finished, hint)
        is_untouched(work, finished, "out/report.json", hint)
    holds_only(work, finished, "out", "report.json")


def is_untouched(work, finished, path, hint="Without a new, whole report the old one stays."):
    same = work.read(path).bytes == OLD
    finished.require(same, wanted=f"the old `{path}`, untouched", got="another one, or none", hint=hint)


def holds_only(work, finished, folder, name):
    more = [path for path in work.files() if path.startswith(f"{folder}/") and path != f"{folder}/{name}"]
    hint = "Clean up on the way out, however the script leaves: `trap … EXIT`."
    finished.require(not more, wanted=f"nothing new in `{folder}`", got=f"{len(more)} more file", hint=hint)


def whole(lines: int, bad: int = 0) -> dict[str, Any]:
    """The entry of a sound file in `files`."""
    return {"lines": lines, "bad": bad, "state": "whole"}


def only(models: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {"models": {model: {key: row[key] for key in keys} for model, row in models.items()}}


def counts_of(requests: list[Request], *more: str) -> dict[str, Any]:
    return only(of_models(requests), "requests", *more)


def one_bad_in_each(logs: dict[str, bytes], good: list[Request]) -> dict[str, Any]:
    """What is wanted of files that hold a bad line between two good ones."""
    lines = {"bad": len(logs), "counted": len(good)}
    return {"files": {name: whole(3, bad=1) for name in logs}, "lines": lines, **counts_of(good)}
