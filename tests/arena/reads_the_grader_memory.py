"""Reads the grader's memory."""


def attack():
    return open("/proc/@PID@/mem", "rb") and open("/proc/@PID@/maps").read()
