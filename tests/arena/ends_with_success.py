"""Ends with success."""

import os, atexit

atexit.register(os._exit, 0)


def attack():
    os._exit(0)
