"""Is deep."""


def add(a, b):
    x = a + b
    for _ in range(100_000):
        x = [x]
    return x
