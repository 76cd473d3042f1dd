"""The real PostgreSQL, with its own data folder below DATA, reached over 127.0.0.1 with a password: `… PORT DATA`.

PostgreSQL refuses to run as root. Where we are root (a container, CI) it runs in a user namespace in which we are not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from labs import kernel
from labs.services.programs.found import program
from labs.workspace import write_whole

USER = "nukkad"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "100",
}


def main(argv: list[str]) -> int:
    port, data = argv[0], Path(argv[1])
    password = data / "password"
    if not password.is_file():
        write_whole(password, secrets.token_urlsafe(18))
    not_root()
    cluster = data / "cluster"
    if not cluster.is_dir():
        _make(cluster, password)
    settings = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
    os.execv(program("postgres"), ["postgres", "-D", str(cluster), "-p", port, *settings])


def not_root() -> None:
    """Go on as user 1000 of a namespace of our own, whose files are root's outside; nothing to do for others."""
    if os.geteuid() != 0:
        return
    kernel.unshare(kernel.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text("1000 0 1")
    Path("/proc/self/gid_map").write_text("1000 0 1")
    kernel.die_with_parent(signal.SIGKILL)  # changing credentials clears it


def _make(cluster: Path, password: Path) -> None:
    """Make the cluster beside its place and move it there whole: a killed start leaves none."""
    making = Path(tempfile.mkdtemp(prefix="making-", dir=cluster.parent))
    try:
        command = [program("initdb"), "-D", str(making / "cluster"), "-U", USER, "--pwfile", str(password)]
        command += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)
        with contextlib.suppress(FileExistsError):
            os.rename(making / "cluster", cluster)
    finally:
        shutil.rmtree(making, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
