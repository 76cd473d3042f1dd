"""Reads the environment of the grader."""


def attack():
    return b"PATH" in open("/proc/@PID@/environ", "rb").read()
