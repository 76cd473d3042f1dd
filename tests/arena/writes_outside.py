"""Writes outside."""


def attack():
    return open("@OUTSIDE@", "w").write("was here")
