"""The warm parent: imports heavy libraries once, then forks a child for every judge and every sandbox.

It is executed afresh with a scrubbed environment, imports and never computes (OpenMP hangs after a fork), and never
reads a request: the forked child does. So there is nothing in its memory that a learner's process could find. It lives
as long as the process that started it holds the other end of its life line; then it takes its children along.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import traceback
import types
import warnings
from typing import Any

from labs import kernel
from labs.grading import wire
from labs.grading.confine import prepare

ALWAYS = (
    "labs.grading.caretaker",
    "labs.grading.keeper",
    "labs.grading.worker",
    "labs.grading.judge",
    "labs.grading.lanes",
    "landlockpy",
    "pyseccomp",
    "pdb",  # pytest looks whether it is asked for
)


# What `work.serve` uses, whatever the application is; uvicorn imports most of it only when it starts to serve.
SERVING = (
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)
APPLICATIONS = {"fastapi", "starlette", "uvicorn"}


def main(argv: list[str]) -> int:
    listener = socket.socket(fileno=int(argv[0]))
    life = socket.socket(fileno=int(argv[1]))
    session, modules = argv[2], argv[3:]
    _import((*ALWAYS, *_plugins_of_pytest(), *modules, *(SERVING if APPLICATIONS & {*modules} else ())))
    if "boto3" in modules:
        from labs.services.aws.descriptions import read_ahead

        read_ahead(modules)
    if "narwhals" in sys.modules:
        _let_narwhals_look_for_plugins()
    prepare()
    sys.modules["__main__"] = types.ModuleType(
        "__main__"
    )  # else a spawned grandchild would run this file again
    gc.collect()
    gc.freeze()
    kernel.use_huge_pages()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    life.send(b"warm")
    children: set[int] = set()
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(life, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll(500)}
        _reap(children)
        if life.fileno() in ready:
            break
        if listener.fileno() in ready:
            conn, _ = listener.accept()
            pid = os.fork()
            if pid == 0:
                listener.close()
                life.close()
                _child(conn)
            conn.close()
            children.add(pid)
    for pid in children:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM if not kernel.LINUX else signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while children:
            os.waitpid(-1, 0)
    shutil.rmtree(session, ignore_errors=True)
    return 0


def _import(modules: tuple[str, ...]) -> None:
    # Feast sets a variable and then imports prometheus_client, which would keep metrics in files for ever after.
    first = ("prometheus_client",) if "feast" in modules else ()
    with warnings.catch_warnings(action="ignore"):
        for name in (*first, *modules):
            with contextlib.suppress(
                Exception
            ):  # speed only: whoever needs it imports it, and says what is wrong
                importlib.import_module(name)
    for key in [key for key in os.environ if key.startswith("PROMETHEUS_MULTIPROC")]:  # import feast sets it
        del os.environ[key]


def _plugins_of_pytest() -> list[str]:
    """Every judge is a pytest, and would import those of its own that nothing imports yet."""
    from _pytest.config import default_plugins

    return [f"_pytest.{name}" for name in default_plugins]


def _let_narwhals_look_for_plugins() -> None:
    """scikit-learn asks it about every table. The first time it reads the entry points of all packages: 17 ms."""
    with contextlib.suppress(Exception):
        from narwhals.stable.v2.dependencies import is_into_dataframe

        is_into_dataframe(None)


def _reap(children: set[int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            children.discard(pid)


def _child(conn: socket.socket) -> None:
    """In the forked child: become a judge or a keeper. Never returns."""
    code = 70
    try:
        kernel.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        _, fds, _, _ = socket.recv_fds(conn, 1, 4)
        request: dict[str, Any] = wire.receive(conn, timeout=wire.PATIENCE)
        if request["role"] in ("judge", "service"):
            for fd in fds:  # the other end of `conn`: held here as well, it would never be seen closed
                os.close(fd)
        if request["role"] == "judge":
            from labs.grading.judge import judge

            code = judge(conn, request)
        elif request["role"] == "service":
            from labs.grading.services import hold

            code = hold(conn, request)
        else:
            from labs.grading.keeper import keep

            keep(conn, request, socket.socket(fileno=fds[0]))
            code = 0
    except (wire.Closed, wire.WireError):
        code = 71  # the other side went away before it said what it wanted
    except BaseException:
        traceback.print_exc()  # into the warm parent's log, which a broken grading quotes
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
