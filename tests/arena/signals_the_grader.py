"""Signals the grader."""


def attack():
    import os

    os.kill(int("@PID@"), 0)
    return int("@PID@") != os.getpid() and os.getppid() != 1
