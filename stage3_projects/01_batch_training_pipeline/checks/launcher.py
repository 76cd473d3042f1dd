"""Runs a learner's script and lets something happen to it at an exact moment: `launcher.py pipeline.py run …`.

What a program does to the file system is counted by an audit hook: each file below `WATCHED` that is opened for
writing, renamed or removed, each folder made there. `AT` names one such effect: `:7` is the seventh, `published:2` the
second whose path holds that text, `start` the beginning. Just before it happens, `DO` happens: `SIGKILL`, `SIGSTOP`,
`sleep:5` (seconds), or `half:2000`, after which a write beyond the first 2,000 bytes of any file kills the process,
and leaves these bytes. Every effect is written to the file `EFFECTS`, one a line.

With `SILENT` the process sends Prefect no events, by which it tells of its task runs: much of what a run costs, where
nobody looks at them. Flow runs and their states are there all the same.
"""

from __future__ import annotations

import os
import resource
import runpy
import signal
import sys
import time
from typing import Any

PLACES = {
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.link": (0, 1),
    "os.symlink": (1,),
}
AT, DO, WATCHED = (os.environ.get(name, "") for name in ("AT", "DO", "WATCHED"))
RECORD = os.environ.get("EFFECTS", "")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
seen = {"": 0}  # effects, by the text that AT asks for
record = open(RECORD, "w", buffering=1) if RECORD else None  # noqa: SIM115


def path_of(event: str, args: tuple[Any, ...]) -> str:
    """The path below WATCHED that this event changes; "" if none."""
    if event == "open":
        places = (args[0],) if isinstance(args[2], int) and args[2] & WRITES else ()
    else:
        places = tuple(args[number] for number in PLACES.get(event, ()))
    for place in places:
        if isinstance(place, bytes):
            place = os.fsdecode(place)
        if isinstance(place, (str, os.PathLike)):
            path = os.path.abspath(os.fspath(place))
            if path.startswith(WATCHED + os.sep):
                return path[len(WATCHED) + 1 :]
    return ""


def watch(event: str, args: tuple[Any, ...]) -> None:
    global AT
    if event != "open" and event not in PLACES:
        return
    path = path_of(event, args)
    if not path:
        return
    if record is not None:
        record.write(f"{event} {path}\n")
    text, _, number = AT.rpartition(":")
    if text in path:
        seen[text] = seen.get(text, 0) + 1
        if number == str(seen[text]):
            AT = ""
            strike()


def say_nothing() -> None:
    from prefect.events.clients import NullEventsClient
    from prefect.events.worker import EventsWorker

    EventsWorker.set_client_override(NullEventsClient)


def strike() -> None:
    what, _, number = DO.partition(":")
    if what == "sleep":
        time.sleep(float(number))
    elif what == "half":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), int(number)))
    else:
        os.kill(os.getpid(), signal.Signals[what])


if __name__ == "__main__":
    if WATCHED:
        WATCHED = os.path.abspath(WATCHED)
        sys.addaudithook(watch)
    signal.signal(
        signal.SIGXFSZ, signal.SIG_DFL
    )  # Python turns it into an exception, which a program could catch
    if os.environ.get("SILENT"):
        say_nothing()
    if AT == "start":
        strike()
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
