"""What `python3 SCRIPT …` and `python3 -m MODULE …` do, in a forked child that has its libraries imported already.

Such a command starts in milliseconds where a new interpreter would import for seconds. It sees what a new one would
show it: arguments, streams, environment, `__main__`, `sys.path`, exit statuses, tracebacks. Two things differ:
libraries are imported before its first line, and PYTHONHASHSEED has no effect. A check that is about these runs a
real one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import runpy
import signal
import sys
import threading
from types import TracebackType

FLUSH_FAILED = 120  # what CPython exits with
NO_SUCH_FILE = 2
STOPPED = -signal.SIGINT


def run(argv: list[str]) -> int:
    """Be `python3 …argv`, which names a script, or `-m` and a module. Returns the exit status."""
    _take_the_streams()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = _run(argv)
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # wait for threads, as an interpreter does
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or FLUSH_FAILED
    if code == STOPPED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return code


def _run(argv: list[str]) -> int:
    try:
        if argv[0] == "-m":
            sys.argv = argv[1:]
            _look_first_in(os.getcwd())
            runpy._run_module_as_main(argv[1])  # type: ignore[attr-defined]  # what `python3 -m` calls
        elif not os.path.isfile(argv[0]) and not os.path.isdir(argv[0]):
            print(f"python3: can't open file '{os.path.abspath(argv[0])}': [Errno 2] No such file or directory",
                  file=sys.stderr)  # fmt: skip
            return NO_SUCH_FILE
        else:
            sys.argv = argv
            _look_first_in(os.path.dirname(os.path.abspath(argv[0])))
            runpy.run_path(argv[0], run_name="__main__")
        return 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        error.__traceback__ = _of_theirs(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        return STOPPED if isinstance(error, KeyboardInterrupt) else 1


def _take_the_streams() -> None:
    """Streams as a new interpreter makes them on these descriptors."""
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = os.fdopen(  # type: ignore[misc]
        2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _look_first_in(folder: str) -> None:
    """`sys.path` as it would be: the script's folder, PYTHONPATH, then what is installed."""
    named = [os.path.abspath(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    first = [folder, *named]
    sys.path[:] = [*first, *(place for place in sys.path if place and place not in first)]


def _of_theirs(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames that stand before the learner's first."""
    ours = {__file__, runpy.__file__, "<frozen runpy>"}
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    return trace
