"""Runs a brief's commands in one shell, in a scratch course where work/<slug> holds the solution."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from labs.catalog import Catalog, Lab
from labs.fingerprint import ENGINE, PASSING
from labs.verify.brief import Command
from labs.verify.case import Case, Offender
from labs.verify.output import difference

COMMAND_SECONDS = 60.0
PORT_SECONDS = 20.0  # another brief may be about to give it back
GRACE_SECONDS = 3.0
READ_AT_MOST = 2**20
QUOTE_LINES = 20
PORT = re.compile(r"(?:localhost:|127\.0\.0\.1:|0\.0\.0\.0:|--port[ =])(\d{2,5})\b")
MARK = "LABS_BRIEF"


def run_commands(case: Case, commands: list[Command]) -> list[Offender]:
    """Run them one after the other; the first that does not do as shown ends the run."""
    for port in _ports(commands):
        if not _comes_free(port):
            wrong = f"its commands could not run: port {port} is taken on this machine"
            step = f"Find what listens there (lsof -i :{port}), end it, then verify again."
            return [Offender("README.md", wrong, step)]
    with tempfile.TemporaryDirectory(prefix="labs-brief-", ignore_cleanup_errors=True) as scratch:
        root = scratch_tree(case.catalog, case.lab, Path(scratch).resolve())
        with shell(root) as session:
            for number, command in enumerate(commands):
                offender = session.run(command, number)
                if offender:
                    return [offender]
    return []


def scratch_tree(catalog: Catalog, lab: Lab, scratch: Path) -> Path:
    """The part of the repository that a brief needs: its lab, and the solution as the learner's work."""
    root = scratch / lab.folder.parent.parent.name
    stage = root / lab.stage
    ignore = shutil.ignore_patterns(*PASSING)
    stage.mkdir(parents=True)
    shutil.copyfile(lab.folder.parent / "stage.toml", stage / "stage.toml")
    shutil.copytree(lab.folder, stage / lab.folder.name, ignore=ignore)
    shutil.copytree(lab.solution, root / "work" / lab.slug, ignore=ignore)
    bin_folder = scratch / "bin"
    bin_folder.mkdir()
    command = bin_folder / "labs"
    # The engine of this very checkout, whichever one is installed.
    start = (
        f"import sys; sys.path.insert(0, {str(ENGINE.parent)!r}); from labs.cli import main; sys.exit(main())"
    )
    command.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(start)} "$@"\n', encoding="utf-8"
    )
    command.chmod(0o755)
    (scratch / "home").mkdir()
    return root


@contextlib.contextmanager
def shell(root: Path) -> Iterator[Session]:
    """A bash in `root`, with a private HOME; nothing that it started outlives the block."""
    scratch = root.parent
    mark = secrets.token_hex(8)
    path = [str(scratch / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    env = {
        "PATH": os.pathsep.join(path),
        "HOME": str(scratch / "home"),
        "LABS_ROOT": str(root),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "PYTHONUNBUFFERED": "1",
        MARK: mark,
    }
    if "TMPDIR" in os.environ:
        env["TMPDIR"] = os.environ["TMPDIR"]
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        cwd=root,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Session(process, scratch)
    finally:
        _end(process, mark)


@dataclass(frozen=True)
class Output:
    """What a command has printed so far. What a brief shows is all on the one stream or all on the other."""

    out: Path
    err: Path

    def differs(self, shown: Sequence[str]) -> str:
        out, err = _read(self.out), _read(self.err)
        on_out, on_err = difference(shown, out), difference(shown, err)
        if not (on_out and on_err):
            return ""
        return on_out if out else on_err

    def __str__(self) -> str:
        lines = f"{_read(self.out)}\n{_read(self.err)}".strip().splitlines() or ["(it printed nothing)"]
        more = [f"… {len(lines) - QUOTE_LINES} more lines"] if len(lines) > QUOTE_LINES else []
        return "\n".join(f"  | {line}" for line in [*lines[:QUOTE_LINES], *more])


class Session:
    """One bash, fed a command at a time. Output goes to files: what runs in the background blocks nothing."""

    def __init__(self, process: subprocess.Popen[bytes], scratch: Path) -> None:
        self._process = process
        self._scratch = scratch

    def run(self, command: Command, number: int) -> Offender | None:
        """Run one command to its end; one that ends in `&` until it has said what is shown below it."""
        output = Output(self._scratch / f"out.{number}", self._scratch / f"err.{number}")
        where = f"README.md line {command.line}: {command.text.splitlines()[0]}"
        deadline = time.monotonic() + COMMAND_SECONDS
        status = self._status(command, number, output, deadline)
        if status is None and self._process.poll() is not None:
            return Offender(where, f"it ended the shell\n{output}", "Leave `exit` and `exec` out.")
        if status is None:
            wrong = f"it did not end within {COMMAND_SECONDS:g} s\n{output}"
            return Offender(where, wrong, "Start what keeps running with `&`; make the rest quicker.")
        if status != command.exits:
            mend = "Mend the command, or end its line in `# exits N` if it is meant to fail."
            return Offender(where, f"it exits {status}; the brief says {command.exits}\n{output}", mend)
        # What runs in the background has until the deadline to say what is shown; whatever follows is free.
        shown = (*command.shown, "…") if command.in_background else command.shown
        while (differs := output.differs(shown)) and command.in_background and time.monotonic() < deadline:
            time.sleep(0.05)
        mend = "Show what it prints; write … for what differs from run to run."
        return Offender(where, f"{differs}\n{output}", mend) if differs else None

    def _status(self, command: Command, number: int, output: Output, deadline: float) -> int | None:
        """Feed the command to the shell and wait for its exit status; None if there is none in time."""
        status = self._scratch / f"status.{number}"
        text = (
            f"eval {shlex.quote(command.text)} </dev/null >{output.out} 2>{output.err}\n"
            f"echo $? >{status}.new; mv {status}.new {status}\n"
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        while time.monotonic() < deadline:
            if status.exists():
                return int(status.read_text())
            if self._process.poll() is not None:
                return None
            time.sleep(0.01)
        return None


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End the shell's process group, and whatever left the group but still carries the mark."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(GRACE_SECONDS)
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for other in left:
        with contextlib.suppress(psutil.Error):
            other.kill()
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _ports(commands: list[Command]) -> list[int]:
    """The ports that the commands name; uvicorn's own when it starts without one."""
    found = {int(port) for command in commands for port in PORT.findall(command.text)}
    if any(re.search(r"\buvicorn\b", c.text) and "--port" not in c.text for c in commands):
        found.add(8000)
    return sorted(port for port in found if port < 65536)


def _comes_free(port: int) -> bool:
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(READ_AT_MOST).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
