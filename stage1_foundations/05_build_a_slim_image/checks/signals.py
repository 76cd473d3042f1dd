"""Process 1 and SIGTERM.

The first process is told, and only it. The service must write its last word before the first process ends: at that
moment the kernel kills all others. A signal that process 1 has no handler for is dropped by the kernel; here it is an
ordinary process, and dies of it.
"""

from __future__ import annotations

import signal
import time

GRACE_SECONDS = 5.0
STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT")


def _name_of(told: str) -> str:
    """`SIGTERM`, `TERM` and `15` are the same to Docker."""
    known = {str(int(number)): number.name for number in signal.Signals}
    return known.get(told, told if told.startswith("SIG") else f"SIG{told}")


def end_in_order(handed_in, process) -> None:
    """Signal the container's first process and watch. `docker stop` would wait 10 seconds, then kill."""
    config = handed_in.final.config
    name = _name_of(config.stop_signal)
    about = handed_in.about(f"docker stop: {name} to the container's first process")
    about.require(
        name in STOP_SIGNALS,
        wanted="STOPSIGNAL SIGTERM, which needs no line",
        got=f"STOPSIGNAL {config.stop_signal}",
        hint="uvicorn ends in order on SIGTERM.",
    )
    process.signal(name)
    deadline = time.monotonic() + GRACE_SECONDS
    while process.alive and time.monotonic() < deadline:
        time.sleep(0.02)
    runs_on = process.alive
    ended = process.wait(1)
    if not runs_on and '"event": "drained"' in ended.stdout:
        return
    got, hint = "process 1 runs on, and so does the service", "Does process 1 hand the signal on at once?"
    if not runs_on and ended.status < 0:
        got = "process 1 does nothing on it, and the service is not told: Docker kills both after 10 seconds"
        hint = "Let uvicorn be process 1: the exec form of CMD, or `exec` as the last word of a start script."
    elif not runs_on:
        got = "process 1 ended before the service had finished: the kernel kills what is left"
        hint = "Who is process 1 must hand the signal on, and wait until the service has ended. `exec` needs neither."
    about.output = ended.output
    about.fail(wanted="the service hears it, finishes and ends", got=got, hint=hint)
