"""The real redis-server on PORT, with its snapshots in DATA."""

from __future__ import annotations

import os
import sys

from labs.services.programs.found import program


def main(argv: list[str]) -> int:
    port, data = argv
    options = [
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--dir",
        data,
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
    ]
    os.execv(program("redis-server"), ["redis-server", *options, "--daemonize", "no"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
