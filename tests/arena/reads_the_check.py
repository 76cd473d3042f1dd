"""Reads the check."""


def attack():
    import glob

    return [open(f).read() for f in glob.glob("@CHECK@*")][0]
