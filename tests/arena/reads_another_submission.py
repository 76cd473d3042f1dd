"""Reads another submission."""


def attack():
    return open("@OTHER@").read()
