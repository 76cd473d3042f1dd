"""Runs `python3 -m MODULE …` inside the sandbox, in a fork of a process that has pandas and scikit-learn loaded.

A fresh interpreter needs one to two seconds for these imports, and a grading trains half a dozen times. What a
learner's command sees is the same: its folder, arguments, environment, standard streams, and `__main__`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import runpy
import sys
import tempfile
import time

KEPT = 256 * 1024  # bytes of each stream


def run(
    module: str, argv: list[str], env: dict[str, str], stdin: str = os.devnull, stdout: str = ""
) -> dict[str, int | str]:
    """Exit status (negative: a signal), standard output and standard error of one command.

    `env` is added to the environment. `stdin` is a file to read; `stdout` one to write, instead of an answer.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            target = os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if stdout else out.fileno()
            _become(module, argv, env, (os.open(stdin, os.O_RDONLY), target, err.fileno()))
        _, waited = os.waitpid(child, 0)
        status = os.waitstatus_to_exitcode(waited)
        return {"status": status, "stdout": _text(out.fileno()), "stderr": _text(err.fileno())}


def _text(fd: int) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    return os.read(fd, KEPT).decode("utf-8", "replace")


def _become(module: str, argv: list[str], env: dict[str, str], streams: tuple[int, int, int]) -> None:
    """In the fork: be that command. Never returns."""
    code = 1
    try:
        for target, source in enumerate(streams):
            os.dup2(source, target)
        sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = sys.__stdout__ = os.fdopen(1, "w", 1, encoding="utf-8", closefd=False)
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)
        os.environ.update(env)
        time.tzset()
        here = os.getcwd()
        sys.path[:] = [here, *(place for place in sys.path if place != here)]
        sys.argv = [module, *argv]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        if isinstance(end.code, int) or end.code is None:
            code = (end.code or 0) & 0xFF
        else:
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            atexit._run_exitfuncs()  # as an interpreter does that ends by itself
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                code = code or 120
        os._exit(code)
