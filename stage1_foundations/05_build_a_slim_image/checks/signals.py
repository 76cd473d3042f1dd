"""Process 1 and SIGTERM. The kernel drops a signal that process 1 has no handler for; an ordinary process dies of it.

So the first process is told, and only it: the service must write its last word, and nothing may still listen.
"""

from __future__ import annotations

import time

GRACE_SECONDS = 5.0
STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT")


def end_in_order(handed_in, process) -> None:
    """Signal the container's first process and watch. `docker stop` would wait 10 seconds, then kill."""
    config = handed_in.final.config
    name = config.stop_signal if config.stop_signal.startswith("SIG") else f"SIG{config.stop_signal}"
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
    if runs_on or '"event": "drained"' not in ended.stdout:
        got = (
            "the first process runs on"
            if runs_on
            else "the first process is gone, and the service was not told"
        )
        about.fail(
            wanted="the service hears it, finishes and ends",
            got=got,
            hint="Let uvicorn be process 1: the exec form of CMD, or `exec` as the last word of a start script.",
        )
