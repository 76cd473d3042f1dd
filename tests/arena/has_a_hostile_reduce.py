"""Has a hostile __reduce__."""

import os


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch @OUTSIDE@",))

    def __repr__(self):
        raise SystemExit("repr")


def add(a, b):
    return Bomb()
