"""Reads the solution."""


def attack():
    return open("@SOLUTION@").read()
