"""The same image from a real Docker engine: built, run, watched, and everything of it removed again.

Every image and container carries a name of its own and the label `labs.check`; nothing else of the user's is touched.
(The engine's build cache stays: it is what makes the second build quick, and the engine clears it by itself.)
A container has no network but its own loopback, 256 MB of memory, and 128 processes. The build has the network, because
pip needs its index: the one that this user's pip.conf names, or PyPI. Proxies come from Docker's own settings.
"""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import pwd
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from copying import ContextFile
from docker_command import contents_of, docker, last_line, layer_sizes
from labs.checks import CouldNotCheck, Document
from payments import same_answer
from working_copy import write

LABEL = "labs.check"
BUILD_SECONDS = 240
HEALTHY_SECONDS = 60
STOP_SECONDS = 10
MOST_ADDED_MB = 60
MOST_NEW_KB = 512
MB = 10**6
BUILDKIT = {**os.environ, "DOCKER_BUILDKIT": "1"}
PIP_CONFS = (".config/pip/pip.conf", ".pip/pip.conf", "/etc/pip.conf")
INDEX = ("index-url", "extra-index-url", "trusted-host")
ASK = """
import json, sys, urllib.error, urllib.request
kind = {"Content-Type": "application/json"}
request = urllib.request.Request("http://127.0.0.1:8000/predict", sys.argv[1].encode(), kind)
try:
    with urllib.request.urlopen(request, timeout=5) as reply: print(json.dumps([reply.status, reply.read().decode()]))
except urllib.error.HTTPError as error: print(json.dumps([error.code, ""]))
except OSError as error: print(json.dumps([0, type(error).__name__]))
"""


def index_settings() -> str:
    """Where this user's pip looks for packages, if a pip.conf of theirs says so; a path of this machine is left out."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    told = configparser.RawConfigParser(strict=False)
    with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError):
        told.read([home / path for path in reversed(PIP_CONFS)])
    known = {name: told.get("global", name, fallback="") for name in INDEX}
    return "".join(f"{name} = {value}\n" for name, value in known.items() if value and "file:" not in value)


class Image:
    """A built image. `about` speaks for it."""

    def __init__(self, handed_in, name: str) -> None:
        self.handed_in, self.name = handed_in, name

    def about(self, did: str) -> Document:
        return self.handed_in.about(did)

    def build(self, files: dict[str, ContextFile], name: str) -> None:
        """`docker build` over the working copy, as the brief gives it."""
        did = "docker build --secret id=pip_conf,src=pip.conf ."
        with tempfile.TemporaryDirectory(prefix="labs-context-") as scratch:
            folder = Path(scratch)
            write(files, folder / "context")
            (folder / "pip.conf").write_text(self.handed_in.copy.pip_conf + index_settings())
            words = ["build", "--tag", name, "--label", f"{LABEL}={self.name}"]
            words += ["--secret", f"id=pip_conf,src={folder / 'pip.conf'}"]
            told = docker(
                *words,
                str(folder / "context"),
                seconds=BUILD_SECONDS,
                env=BUILDKIT,
            )
        said = (told.stderr + told.stdout).decode("utf-8", "replace")
        about = self.about(did)
        about.output = said[-4000:]
        about.require(
            told.returncode == 0,
            wanted="a build that goes to its end",
            got="it stopped",
            hint="Run it yourself; the builder's last lines say which step.",
            measured=last_line(told),
        )

    def inspect(self, name: str = "") -> dict[str, Any]:
        return json.loads(docker("image", "inspect", name or self.name).stdout)[0]

    @contextlib.contextmanager
    def run(self) -> Iterator[Container]:
        name = f"{self.name}-run"
        limits = ["--network", "none", "--memory", "256m", "--pids-limit", "128", "--cap-drop", "ALL"]
        started = docker(
            "run", "--detach", "--name", name, "--label", f"{LABEL}={self.name}", *limits, self.name
        )
        try:
            self.about("docker run").require(
                started.returncode == 0,
                wanted="a container that starts",
                got="it does not start",
                hint="Run it yourself, and read what Docker says.",
                measured=last_line(started),
            )
            yield Container(self, name)
        finally:
            docker("rm", "--force", "--volumes", name)

    def is_slim(self) -> None:
        """What the layers above the base add. Sizes as `docker history` gives them, in decimal megabytes."""
        base, alone = self.handed_in.final.external, f"{self.name}-base"
        dockerfile = f"FROM {base}\nLABEL {LABEL}={self.name}\n".encode()
        try:  # BuildKit keeps no base image by its name: so make one that is nothing but the base
            if docker(
                "build", "--tag", alone, "-", input=dockerfile, seconds=BUILD_SECONDS, env=BUILDKIT
            ).returncode:
                raise CouldNotCheck(f"the engine does not give `{base}` to compare with")
            added = (self.inspect()["Size"] - self.inspect(alone)["Size"]) / MB
        finally:
            docker("rmi", "--force", alone)
        self.about("docker image inspect").require(
            added <= MOST_ADDED_MB,
            wanted=f"at most {MOST_ADDED_MB} MB more than the base",
            got="more",
            hint="`docker history` says what each layer weighs. A `chown -R` or `chmod -R` writes every file again.",
            measured=f"{added:.0f} MB more than {base}",
        )

    def rebuilds_small_layers(self, path: str) -> None:
        """Build again with one changed file; layers that are not shared must be small."""
        files = dict(self.handed_in.copy.files)
        files[path] = ContextFile(files[path].content + b"\n# changed\n")
        second = f"{self.name}-again"
        try:
            self.build(files, second)
            old = set(self.inspect()["RootFS"]["Layers"])
            layers = layer_sizes(second)
        finally:
            docker("rmi", "--force", second)
        new = {digest: size for digest, size in layers.items() if digest not in old}
        about = self.about(f"docker build, after a change of {path}")
        about.require(
            new, wanted="the new code in the image", got="the same layers", hint="Copy app/ into the image."
        )
        about.require(
            sum(new.values()) <= MOST_NEW_KB * 1024,
            wanted=f"new layers of at most {MOST_NEW_KB} KiB",
            got="larger ones",
            hint="What stands after the COPY of the code is built again: packages, a chown over everything.",
            measured=f"{len(new)} new layers of {sum(new.values()) // 1024:,} KiB",
        )

    def holds_no_secret(self) -> None:
        """Look for the planted values in every layer, the settings and the history."""
        values = [value.encode() for value in self.handed_in.copy.secrets]
        about = self.about("docker save, docker history")
        for where, data in contents_of(self.name):
            about.require(
                not any(value in data for value in values),
                wanted="no secret in any layer, setting or line of history",
                got=f"one in {where}",
                hint="What was once in a layer can be read by everybody who pulls the image.",
            )


class Container:
    def __init__(self, image: Image, name: str) -> None:
        self.image, self.name = image, name

    def state(self) -> dict[str, Any]:
        return json.loads(docker("inspect", self.name).stdout)[0]["State"]

    def becomes_healthy(self) -> None:
        about = self.image.about("docker run, then the container's health")
        deadline = time.monotonic() + HEALTHY_SECONDS
        state = self.state()
        about.require("Health" in state, wanted="a HEALTHCHECK", got="none", hint="See the contract.")
        while state["Running"] and state["Health"]["Status"] != "healthy" and time.monotonic() < deadline:
            time.sleep(0.2)
            state = self.state()
        told = docker("logs", "--tail", "40", self.name)
        about.output = (told.stdout + told.stderr).decode("utf-8", "replace")
        about.require(state["Running"], wanted="a service that runs", got=f"it ended with status {state['ExitCode']}",
                      hint="`docker logs` has its last words.", measured=last_line(told))  # fmt: skip
        about.require(
            state["Health"]["Status"] == "healthy",
            wanted=f"healthy within {HEALTHY_SECONDS} s",
            got=state["Health"]["Status"],
            hint="`docker inspect` keeps what the last health checks printed.",
        )

    def says(self, event: str) -> None:
        """Wait until the service has logged an event."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while f'"event": "{event}"'.encode() not in docker("logs", self.name).stdout:
            self.image.about("docker run").require(
                time.monotonic() < deadline and self.state()["Running"],
                wanted=f"a service that logs `{event}`",
                got="none",
                hint="`docker logs` has its last words.",
            )
            time.sleep(0.2)

    def answers(self, payment: dict[str, Any], wanted: dict[str, Any]) -> None:
        told = docker("exec", self.name, "python3", "-c", ASK, json.dumps(payment))
        try:
            status, body = json.loads(told.stdout)
        except ValueError:
            status, body = 0, ""
        self.image.about(f"POST /predict {payment}").require(
            status == 200 and same_answer(body, wanted),
            wanted="the answer of this working copy's model and rules",
            got="another answer" if status == 200 else f"status {status}",
        )

    def stops(self) -> None:
        docker("stop", "--time", str(STOP_SECONDS), self.name, seconds=STOP_SECONDS + 30)
        told = docker("logs", self.name)
        drained = b'"event": "drained"' in told.stdout
        status = self.state()["ExitCode"]
        self.image.about("docker stop").require(
            drained and status != 137,
            wanted="the service hears it, finishes and ends",
            got="Docker had to kill it" if status == 137 else "it ended without finishing",
            hint="Who is process 1, and does it hand the signal on?",
        )


@contextlib.contextmanager
def image_of(handed_in) -> Iterator[Image]:
    """The submission, built by the engine; removed at the end."""
    image = Image(handed_in, f"labs-check-{secrets.token_hex(6)}")
    try:
        image.build(handed_in.copy.files, image.name)
        yield image
    finally:
        docker("rmi", "--force", image.name)
