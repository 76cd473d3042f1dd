"""Is slow to read."""


class Slow(list):
    def __iter__(self):
        while True:
            pass


def add(a, b):
    return Slow([a + b])
