"""Floods its output."""


def add(a, b):
    while True:
        print("x" * 10_000)
