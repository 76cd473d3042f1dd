"""The process that holds one running service: `python -m labs.services.keeper NAME TIER FOLDER PORT…`.

It takes the first of the ports that is free. It outlives the command that started it, and the service never outlives
it: on Linux the kernel ends the service with its keeper; elsewhere the next `up` or `down` finds what was left by its
token.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from labs import kernel
from labs.services.home import GRACE_SECONDS, TOKEN, Home, Running
from labs.services.kinds import KINDS, QUIET
from labs.services.programs.databases import VARIABLE
from labs.services.tiers import Tier

LOG_BYTES = 8 * 2**20
ALREADY_RUNS = 3
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", VARIABLE)
HERE = "127.0.0.1"
FORWARDED = "CODESPACE_NAME", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN"


class Service(Protocol):
    """A process that runs a service, as its keeper sees it."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def send_signal(self, sig: int) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


Start = Callable[[Tier, int, str, Home], Service]


def main(argv: list[str]) -> int:
    return keep(argv, start_program, never)


def never() -> bool:
    return False


def keep(argv: list[str], start: Start, unwanted: Callable[[], bool]) -> int:
    """Hold one service until it ends, a signal comes or it is unwanted. Returns the exit status."""
    name, tier_name, folder, *ports = argv
    home, tier = Home(Path(folder)), KINDS[name].tiers[tier_name]
    if home.hold() is None:
        return ALREADY_RUNS
    home.data.mkdir(parents=True, exist_ok=True)
    listener = _listen([int(port) for port in ports])
    token = secrets.token_hex(8)
    port = listener.getsockname()[1]
    home.record(Running(name, tier_name, port, os.getpid(), token))
    if not tier.takes_socket:
        listener.close()  # the program binds the port by itself; if somebody was quicker, it says so and ends
    service = start(tier, listener.fileno() if tier.takes_socket else port, token, home)
    listener.close()
    ending: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: ending.append(number))
    while service.poll() is None and not ending:
        _bound(home.log)
        if unwanted():
            ending.append(signal.SIGTERM)
        time.sleep(0.05)
    if service.poll() is None:
        _end(service, tier.ends_with)
    elif not ending:
        _say(home, f"{name} ended by itself with exit status {service.poll()}.")
    return 0 if ending else 1


def _listen(ports: list[int]) -> socket.socket:
    """A listening socket of 127.0.0.1 on the first of these ports that is free, or on any."""
    for wanted in (*ports, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections take this over. Servers that are given a descriptor do not set it, and each answer would wait
        # 40 ms for the asker's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((HERE, wanted))
            listener.listen(128)
            return listener
        except OSError:
            listener.close()
    raise SystemExit(f"there is no free port on {HERE}")


def start_program(tier: Tier, argument: int, token: str, home: Home) -> Service:
    """Run the service's module as a program. `argument` is its listening descriptor, or else its port."""
    with open(home.log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", f"labs.services.{tier.module}", str(argument), str(home.data)],
            env={**environment(home), TOKEN: token},
            cwd=home.data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(argument,) if tier.takes_socket else (),
            process_group=0,
            preexec_fn=with_its_keeper(os.getpid()),
        )


def environment(home: Home) -> dict[str, str]:
    """What a service sees: nothing of the learner's keys and settings."""
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    return {**kept, **QUIET, **_forwarded(), "PREFECT_HOME": str(home.data)}


def _forwarded() -> dict[str, str]:
    """In a Codespace a browser reaches a port by a name of its own, which MLflow refuses unless it is told."""
    name, domain = (os.environ.get(key, "") for key in FORWARDED)
    if not name or not domain:
        return {}
    hosts = f"localhost:*,127.0.0.1:*,{name}-*.{domain}"
    return {
        "MLFLOW_SERVER_ALLOWED_HOSTS": hosts,
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": f"https://{name}-*.{domain}",
    }


def with_its_keeper(keeper: int) -> Callable[[], None]:
    """What a new process does first, so that it never outlives its keeper."""

    def before() -> None:
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)

    return before


def _end(service: Service, how: int) -> None:
    """Ask, wait, then end the whole group."""
    service.send_signal(how)
    with contextlib.suppress(subprocess.TimeoutExpired):
        service.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(service.pid, signal.SIGKILL)
    service.wait()


def _bound(log: Path) -> None:
    """A log that grows without end is cut to nothing; the service goes on writing at its end."""
    try:
        if log.stat().st_size > LOG_BYTES:
            os.truncate(log, 0)
    except OSError:
        return


def _say(home: Home, text: str) -> None:
    with open(home.log, "a") as log:
        log.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
