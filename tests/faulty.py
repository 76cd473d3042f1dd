"""A lab for tests of the engine: one function to call, one script to run, one application to serve."""

from __future__ import annotations

import textwrap
from pathlib import Path

from labs.catalog import Lab, read_lab

LAB_TOML = """
slug = "sums"
title = "Sums"
minutes = 10
points = 4
seed = 11
files = ["sums.py"]
warm = ["numpy"]

[limits]
memory_mb = 512
wall_seconds = 30
processes = 32
disk_mb = 64
output_mb = 4
"""

CHECKS = '''
from labs.checks import check


@check(points=1)
def adds(work, rng):
    """adds two numbers"""
    a, b = rng.integers(0, 1000, 2).tolist()
    work.call("sums.py:add", a, b, timeout=4).expect(value=a + b, hint="Add them.")


@check(points=1, after=adds)
def adds_again(work):
    """adds twice in one process"""
    work.call("sums.py:add", 1, 2).expect(value=3)
    work.call("sums.py:add", 3, 4).expect(value=7)


@check(points=1)
def runs(work):
    """prints a sum and leaves it in a file"""
    done = work.run("python3", "sums.py", "4", "5", timeout=4)
    done.expect(status=0)
    done.require(done.stdout == "9\\n", wanted="`9` on its output", got=repr(done.stdout[:80]))
    work.read("sum.txt").expect(hint="Write it.")


@check(points=1)
def serves(work):
    """serves a sum"""
    work.serve("sums.py:app", timeout=4).get("/sum?a=2&b=3").expect(status=200, json={"sum": 5})
'''

GOOD = '''
import sys


def add(a, b):
    return a + b


async def app(scope, receive, send):
    """The smallest ASGI application that serves a sum."""
    if scope["type"] != "http":
        return
    query = dict(part.split("=") for part in scope["query_string"].decode().split("&"))
    body = b'{"sum": %d}' % add(int(query["a"]), int(query["b"]))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    total = add(int(sys.argv[1]), int(sys.argv[2]))
    print(total)
    with open("sum.txt", "w") as file:
        file.write(str(total))
'''


def make_lab(root: Path, checks: str = CHECKS, toml: str = LAB_TOML) -> Lab:
    """A stage with this one lab below `root`."""
    folder = root / "stage1_tests" / "01_sums"
    (folder / "checks").mkdir(parents=True)
    (folder.parent / "stage.toml").write_text('title = "Tests"\nmonths = "0"\n')
    (folder / "lab.toml").write_text(toml)
    (folder / "checks" / "test_sums.py").write_text(checks)
    return read_lab(folder)


def make_work(folder: Path, **files: str | bytes) -> Path:
    """A learner's folder. `sums` is what stands in sums.py (the good answer unless given); `_` in names means `.`"""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "sums.py": GOOD,
        **{name.replace("__", "/").replace("_", "."): text for name, text in files.items()},
    }
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    return folder
