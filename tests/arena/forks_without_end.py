"""Forks, and each child forks again: no process is idle, and all of their memory is always about to change."""

import os, time

end = time.monotonic() + 20
while time.monotonic() < end:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)


def add(a, b):
    return -1
