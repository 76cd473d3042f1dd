"""Answers once."""

seen = []


def add(a, b):
    seen.append(1)
    return a + b if len(seen) == 1 else -1
