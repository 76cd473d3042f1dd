"""Attaches to the grader as a debugger does, which would let it write into its memory; and lets go at once."""

import ctypes
import os

ATTACH, DETACH = 16, 17


def attack():
    pid, libc = int("@PID@"), ctypes.CDLL(None)
    if libc.ptrace(ATTACH, pid, 0, 0):
        return False
    os.waitpid(pid, 0)
    libc.ptrace(DETACH, pid, 0, 0)
    return True
