"""Is no number."""


def add(a, b):
    return float("nan")
