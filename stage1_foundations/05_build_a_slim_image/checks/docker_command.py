"""One docker command at a time, bounded; and what `docker save` says of an image's layers."""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from typing import Any

from labs.checks import CouldNotCheck

LARGEST_READ = 4 * 2**20


@functools.cache
def command() -> str:
    """A docker command that can build with BuildKit: with the buildx plugin, or older than it."""
    for folder in os.environ["PATH"].split(":"):
        path = shutil.which("docker", path=folder)
        if path is None:
            continue
        for words in (("buildx", "version"), ("version", "--format", "{{.Client.Version}}")):
            told = subprocess.run([path, *words], capture_output=True, timeout=20, check=False)
            major = told.stdout.partition(b".")[0]
            if told.returncode == 0 and (words[0] == "buildx" or (major.isdigit() and int(major) < 23)):
                return path
    raise CouldNotCheck("this Docker has no BuildKit: install its buildx plugin")


def docker(*words: str, seconds: float = 60, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """One docker command, bounded in time. Its status is the caller's to look at."""
    argv = [command(), *words]
    try:
        return subprocess.run(argv, capture_output=True, timeout=seconds, check=False, **more)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, b"", b"no end in time")


def last_line(told: subprocess.CompletedProcess[bytes]) -> str:
    lines = (told.stderr + told.stdout).decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def contents_of(name: str) -> Iterator[tuple[str, bytes]]:
    """Every file of every layer, and the settings and history, from `docker save`."""
    with tempfile.TemporaryDirectory(prefix="labs-saved-") as scratch:
        path = f"{scratch}/image.tar"
        if docker("save", "--output", path, name, seconds=120).returncode:
            raise CouldNotCheck("docker save did not work")
        with tarfile.open(path) as saved:
            manifest = json.load(saved.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
            yield "its settings or history", saved.extractfile(manifest["Config"]).read()  # type: ignore[union-attr]
            for layer in manifest["Layers"]:
                data = saved.extractfile(layer).read()  # type: ignore[union-attr]
                yield from _files_of(data)


def _files_of(layer: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        for member in files:
            if (
                member.isfile()
                and member.size < LARGEST_READ
                and (held := files.extractfile(member)) is not None
            ):
                yield f"`/{member.name}`", held.read()


def layer_sizes(name: str) -> dict[str, int]:
    """Bytes of the files in each layer, by the layer's digest, from `docker save`."""
    digests = json.loads(docker("image", "inspect", name).stdout)[0]["RootFS"]["Layers"]
    with tempfile.TemporaryDirectory(prefix="labs-saved-") as scratch:
        path = f"{scratch}/image.tar"
        if docker("save", "--output", path, name, seconds=120).returncode:
            raise CouldNotCheck("docker save did not work")
        with tarfile.open(path) as saved:
            layers = json.load(saved.extractfile("manifest.json"))[0]["Layers"]  # type: ignore[arg-type]
            return {
                digest: saved.getmember(layer).size for digest, layer in zip(digests, layers, strict=True)
            }
