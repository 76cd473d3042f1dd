"""Runs one program many times, each time in a fork, as `python3 PROGRAM ARGUMENTS…` would. It runs in the sandbox.

python3 many_runs.py ASKED.json ANSWERS.json: `ASKED` holds the program, the seconds for a run, and lists of arguments.
A fork of a started Python costs a hundredth of a start. What most programs import is imported before; it is started
cold, because forks of a process that has imported more are dearer than what they save.
"""

import argparse  # noqa: F401
import collections.abc  # noqa: F401
import copy  # noqa: F401
import dataclasses  # noqa: F401
import datetime  # noqa: F401
import enum  # noqa: F401
import functools  # noqa: F401
import hashlib  # noqa: F401
import ipaddress  # noqa: F401
import itertools  # noqa: F401
import json
import os
import pathlib  # noqa: F401
import re  # noqa: F401
import runpy
import signal
import sys
import tempfile
import time
import traceback
import typing  # noqa: F401

MOST = 64 * 1024


def child(program: str, words: list, out: int, err: int) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    status = 1
    try:
        sys.argv = [program, *words]
        sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
        runpy.run_path(program, run_name="__main__")
        status = 0
    except SystemExit as error:
        code = error.code
        status = code if isinstance(code, int) else 0 if code is None else 1
        if isinstance(code, str):
            sys.stderr.write(code + "\n")
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status & 255)


def run(program: str, words: list, seconds: float) -> list:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        number = os.fork()
        if number == 0:
            child(program, words, out.fileno(), err.fileno())
        end, status = time.monotonic() + seconds, None
        while status is None:
            done, raw = os.waitpid(number, os.WNOHANG)
            if done:
                status = os.waitstatus_to_exitcode(raw)
            elif time.monotonic() > end:
                os.kill(number, signal.SIGKILL)
                os.waitpid(number, 0)
                status = -9
            else:
                time.sleep(0.002)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read(MOST).decode("utf-8", "replace"))
    return [status, *said]


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        asked = json.load(file)
    answers = [run(asked["program"], words, asked["seconds"]) for words in asked["runs"]]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(answers, file)


main()
