"""Leaves links to what it wants to see, pipes, devices and a file of a terabyte of nothing."""

import os


def leave(make):
    try:
        make()
    except OSError:
        pass


leave(lambda: os.symlink("@SOLUTION@", "sums_link.py"))
leave(lambda: os.link("@SOLUTION@", "sums_hard.py"))
leave(lambda: os.mkfifo("sum.txt"))
leave(lambda: os.mknod("zero", 0o600 | 0o020000, os.makedev(1, 5)))
with open("sparse", "wb") as file:
    leave(lambda: file.truncate(2**40))


def attack():
    return any(
        "return" in open(name).read() for name in ("sums_link.py", "sums_hard.py") if os.path.exists(name)
    )
