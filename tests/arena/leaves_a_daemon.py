"""Leaves a daemon."""

import os


def attack():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", "@MARK@"])
        os._exit(0)
    return False
