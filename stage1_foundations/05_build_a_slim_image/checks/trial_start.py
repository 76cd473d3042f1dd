"""Starts, in the sandbox, what an image would start: its files at their places, its programs and no others.

The files that reached the final stage are laid out below `image/`. `python` and the scripts of installed packages are
this machine's; a program that the image does not hold is not found. Absolute paths in the command, the environment and
the learner's own scripts are read below `image/`, because a sandbox has no root of its own to give away.
"""

from __future__ import annotations

import fcntl
import functools
import json
import posixpath
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from dockerfile_syntax import NUMBER
from image_model import PATH, Node, Stage
from labs.checks import CouldNotCheck
from permissions import ENTER, READ

ROOT = "image"
RUN = READ | ENTER  # a program is run by who may read and execute it
NOWHERE = b"#!/nowhere/python\n"  # as the kernel says it: the first line names what is not there
PORT = 8000
# Where a server that listens only to 127.0.0.1 is not heard. Other systems than Linux have just the one address.
OTHER_LOOPBACK = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
HERE = Path(__file__).resolve().parent
INIT_PROGRAMS = ("tini", "dumb-init", "docker-init")  # they hand signals on; the sandbox has its own
# What the slim Debian images hold, as far as a start script or a health check may want it. No curl, wget, ps or nc.
_TOOLS = """
awk basename bash cat chmod chown cp cut date dd dirname du echo egrep env expr false find grep gzip head hostname id
install kill ln ls mkdir mktemp mv nproc paste perl printf pwd readlink realpath rm rmdir sed seq sh sha256sum sleep
sort split stat stty tail tar tee test timeout touch tr true uname uniq wc which xargs yes
"""
TOOLS = tuple(_TOOLS.split())


def command_of(stage: Stage) -> list[str]:
    """The words that a container starts with: ENTRYPOINT, then CMD, as Docker puts them together."""
    config = stage.config
    if config.entrypoint is None:
        return list(config.cmd or [])
    return [*config.entrypoint, *([] if config.entrypoint_is_shell else config.cmd or [])]


def without_init(argv: Sequence[str]) -> list[str]:
    """`tini -- uvicorn …` becomes `uvicorn …`."""
    words = list(argv)
    if words and posixpath.basename(words[0]) in INIT_PROGRAMS:
        words = words[1:]
        while words and words[0].startswith("-"):
            words = words[2:] if words[0] in ("-e", "-p", "--rewrite") else words[1:]
    return words


class Trial:
    """The final stage, laid out in one check's sandbox."""

    def __init__(self, work, stage: Stage) -> None:
        self.work, self.stage = work, stage
        self.launcher = work.give("launch.py", HERE / "launch.py")
        self.asker = work.give("ask.py", HERE / "ask.py")
        self._lay_out()
        if work.layers.get("namespaces") != "held":
            alone_on_the_port()

    def start(self, argv: Sequence[str], env: dict[str, str] | None = None):
        """Start a command as the container would. The process is the container's first one."""
        return self._launch({**self._plan(argv, env or {}), "first": True})

    def start_beside(self, argv: Sequence[str]):
        """Start a command beside it, as `docker exec` or a health check would."""
        return self._launch({**self._plan(argv, {}), "first": False})

    def run(self, argv: Sequence[str], timeout: float = 10):
        return self.start_beside(argv).wait(timeout)

    def _launch(self, plan: dict):
        self.work.put("plan.json", json.dumps(plan))
        return self.work.start(sys.executable, "-I", self.launcher)

    def ask(self, *requests: tuple, until: float = 0.0, host: str = "127.0.0.1") -> list:
        """Send requests (method, path, body) from inside; [status, body] for each, [0, reason] where nobody answers.

        `until`: seconds in which the first one is repeated until there is an answer.
        """
        asked = json.dumps({"host": host, "port": PORT, "requests": requests, "until": until})
        told = self.work.run(sys.executable, "-I", self.asker, asked, timeout=until + 20)
        try:
            answers = json.loads(told.stdout)
        except ValueError:
            raise CouldNotCheck("the sandbox could not send a request") from None
        if any(status == 0 and reason == "forbidden" for status, reason in answers):
            raise CouldNotCheck("no network inside of this sandbox: see `labs doctor`")
        return answers

    def or_unknown(self) -> None:
        """A file that a RUN computed is in the image, and not known here."""
        for path, node in self.stage.tree.items():
            if node.kind == "file" and node.content is None and not path.endswith("/pyvenv.cfg"):
                raise CouldNotCheck(f"the grader does not know what a RUN wrote into `{path}`")

    def or_absent(self, argv: Sequence[str]) -> None:
        """A program that the image has and this machine does not: nobody can say what it would have done."""
        for name in self.absent:
            if re.search(rf"\b{re.escape(name)}\b", " ".join(argv)):
                raise CouldNotCheck(f"no {name} on this machine, which the image has")

    def _plan(self, argv: Sequence[str], env: dict[str, str]) -> dict:
        stage = self.stage
        shown = {"PATH": PATH, "HOME": stage.home(), **stage.config.env, **env}
        return {
            "root": ROOT, "cwd": stage.config.workdir, "argv": without_init(argv), "env": shown,
            "places": self._places(),
        }  # fmt: skip

    def _places(self) -> list[str]:
        """Paths that mean something inside: every file laid out, and every folder above one."""
        places = set()
        for path in self.laid_out:
            while path != "/":
                places.add(path)
                path = posixpath.dirname(path)
        places |= {self.stage.config.workdir}
        return sorted(places - {"/", "/tmp", "/dev", "/proc"}, key=len, reverse=True)

    def _lay_out(self) -> None:
        runs: list[str] = []
        self.laid_out: set[str] = set()
        for path, node in self.stage.tree.items():
            text = self._text_for(path, node)
            if text is not None and not self.stage.barrier(path):
                self.work.put(ROOT + path, text)
                self.laid_out.add(path)
                if not self.stage.barrier(path, RUN):
                    runs.append(ROOT + path)
        known = {name: found for name in TOOLS if (found := _on_this_machine(name))}
        links = [
            f"{ROOT}/{folder}/{name}={found}"
            for name, found in known.items()
            for folder in ("bin", "usr/bin")
        ]
        self.absent: list[str] = []
        for path, node in self.stage.tree.items():
            if node.kind == "program" and (found := _on_this_machine(posixpath.basename(path))):
                links.append(f"{ROOT}{path}={found}")
            elif node.kind == "program":
                self.absent.append(posixpath.basename(path))
        self.laid_out |= {link.partition("=")[0].removeprefix(ROOT) for link in links}
        order = json.dumps({"runs": runs, "links": links, "folders": [ROOT + self.stage.config.workdir]})
        self.work.run(sys.executable, "-I", self.work.give("lay_out.py", HERE / "lay_out.py"), order).expect(
            status=0
        )

    def _text_for(self, path: str, node: Node) -> bytes | None:
        if node.kind == "file":
            return node.content
        if node.kind == "interpreter":
            return NOWHERE if self._gone(path) else self._python_wrapper(path).encode()
        if node.kind == "script" and posixpath.basename(path) in ("uvicorn", "fastapi"):
            if self._gone(node.python):
                return NOWHERE
            return (
                f'#!/bin/sh\nexec {self._python(node.python)} -m {posixpath.basename(path)} "$@"\n'.encode()
            )
        return None

    def _gone(self, interpreter: str) -> bool:
        real = self.stage.interpreter(interpreter)
        return real is None or any(self.stage.barrier(path, RUN) for path in (interpreter, real))

    def _python_wrapper(self, path: str) -> str:
        return f'#!/bin/sh\nexec {self._python(path)} "$@"\n'

    def _python(self, interpreter: str) -> str:
        """This machine's Python; without its packages when the image's would not find the ones of the lock."""
        return f"'{sys.executable}'" + ("" if self.sees_the_lock(interpreter) else " -S")

    def sees_the_lock(self, interpreter: str) -> bool:
        held = frozenset().union(*(node.holds for node in self.stage.packages_of(interpreter)))
        names = {re.split(r"[=<>~! ]", one, maxsplit=1)[0] for one in held}
        return {"fastapi", "uvicorn"} <= names


class StandIn:
    """A service in the place of the learner's, whose `/healthz` says what it is told to; all else says 200."""

    def __init__(self, trial: Trial, process) -> None:
        self.trial, self.process = trial, process
        self.says(503)

    def says(self, status: int) -> None:
        """From now on `/healthz` answers with this status; 0 stands for no answer at all."""
        if self.trial.ask(("PUT", f"/{status}", None), until=10.0)[0][0] != 200:
            raise CouldNotCheck("the sandbox could not serve on port 8000")

    def hears(self, other, seconds: float) -> None:
        """Wait until a request hangs here, or the other process has ended without one."""
        deadline = time.monotonic() + seconds
        while other.alive and time.monotonic() < deadline:
            if self.trial.ask(("GET", "/hanging", None))[0][1] != "0":
                return

    def end(self) -> None:
        self.process.signal("SIGKILL")
        self.process.wait(5)


def _on_this_machine(name: str) -> str | None:
    """Debian's sh is dash: it does not turn into the last command of a script, as other systems' sh may."""
    folders = "/bin:/usr/bin"
    return (shutil.which("dash", path=folders) if name == "sh" else None) or shutil.which(name, path=folders)


@functools.cache
def alone_on_the_port() -> TextIO:
    """Where sandboxes share the machine's network, one grading after the other: until this judge ends."""
    file = open(Path(tempfile.gettempdir()) / f"labs-port-{PORT}.lock", "w")  # noqa: SIM115 (held to the end)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def names_the_port(exposed: str) -> bool:
    """Whether a word of EXPOSE, such as `8000`, `8000/tcp` or `8000-8010`, means the service's port."""
    numbers, _, protocol = exposed.lower().partition("/")
    first, _, last = numbers.partition("-")
    if protocol not in ("", "tcp") or not NUMBER.fullmatch(first) or not NUMBER.fullmatch(last or first):
        return False
    return int(first) <= PORT <= int(last or first)
