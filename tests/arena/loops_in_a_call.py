"""Loops in a call."""


def add(a, b):
    while True:
        pass
