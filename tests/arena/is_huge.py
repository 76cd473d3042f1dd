"""Is huge."""


def add(a, b):
    return "x" * (300 * 2**20)
