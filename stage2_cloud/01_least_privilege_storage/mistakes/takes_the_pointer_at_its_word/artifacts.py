"""Publishes models to the bucket, and fetches them whole or not at all.

    python artifacts.py publish DIR NAME VERSION
    python artifacts.py latest NAME
    python artifacts.py fetch NAME VERSION|latest TO_DIR
    python artifacts.py rollback NAME

The bucket is named by ARTIFACTS_BUCKET. The README says which keys it holds.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import boto3

from manifest import File, Manifest
from objects import Missing, Objects, Taken
from pointer import NothingBefore, Pointer, move


class NotPublished(Exception):
    """There is no such version, or nothing to go back to."""


class AlreadyPublished(Exception):
    """The version exists, with another content."""


class Corrupted(Exception):
    """What is stored is not what was published."""


@functools.cache
def bucket() -> Objects:
    return Objects(boto3.client("s3"), os.environ["ARTIFACTS_BUCKET"])


def publish(model_dir: str, name: str, version: str) -> None:
    """Publish the files below `model_dir` as `version` of the model `name`, and make it the latest.

    Blobs first, then the manifest, then the pointer: whoever reads meanwhile, and whoever finds what a dead publisher
    left, sees the old model or the new one. Doing it again finishes what was interrupted.

    Raises:
        AlreadyPublished: the version has another content.
    """
    folder = Path(model_dir)
    manifest = Manifest.of_folder(folder, version)
    _refuse_other_content(name, manifest)
    for path, file in manifest.files.items():
        _create(f"{name}/blobs/{file.sha256}", (folder / path).read_bytes())
    if not _create(f"{name}/versions/{version}.json", manifest.dump()):
        _refuse_other_content(name, manifest)
    move(bucket(), name, lambda pointer: Pointer.to(version, pointer))


def latest(name: str) -> str:
    """The version that the pointer of the model names.

    Raises:
        NotPublished: no version was ever published.
    """
    try:
        return Pointer.parse(bucket().get(Pointer.key(name)).content).version
    except Missing as missing:
        raise NotPublished(f"{name}: no version is published") from missing


def fetch(name: str, version: str, to_dir: str) -> str:
    """Write a version ("latest": the one that the pointer names) to `to_dir`; returns which version it was.

    `to_dir` holds the whole model afterwards, or does not exist.

    Raises:
        NotPublished: there is no such version.
        Corrupted: something of it is missing, or is not what was published.
        FileExistsError: there is something in `to_dir`.
    """
    target = Path(to_dir)
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{to_dir} is not empty")
    pointed = version == "latest"
    version = latest(name) if pointed else version
    manifest = _manifest(name, version, pointed)
    target.parent.mkdir(parents=True, exist_ok=True)
    partly = Path(tempfile.mkdtemp(prefix=".fetching-", dir=target.parent))
    try:
        for path, file in manifest.files.items():
            place = partly / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(_blob(name, file))
        partly.chmod(0o755)  # a temporary folder is private at first
        partly.rename(target)
    finally:
        shutil.rmtree(partly, ignore_errors=True)
    return version


def rollback(name: str) -> str:
    """Let the pointer name the version that it named before, and return that. A second rollback comes back.

    Raises:
        NotPublished: there is none before.
    """
    try:
        return move(bucket(), name, Pointer.back).version
    except (Missing, NothingBefore) as error:
        raise NotPublished(f"{name}: there is no version to go back to") from error


def _create(key: str, content: bytes) -> bool:
    """Write an object that is never replaced; False if it is there already."""
    try:
        bucket().put(key, content, over=None)
    except Taken:
        return False
    return True


def _refuse_other_content(name: str, manifest: Manifest) -> None:
    try:
        if _manifest(name, manifest.version) == manifest:
            return
    except NotPublished:
        return
    raise AlreadyPublished(f"{name} {manifest.version} is published with another content")


def _manifest(name: str, version: str, pointed: bool = False) -> Manifest:
    try:
        manifest = Manifest.parse(bucket().get(f"{name}/versions/{version}.json").content)
    except Missing as missing:
        if pointed:  # the pointer never names what is not there
            raise Corrupted(f"{name} {version}: no manifest") from missing
        raise NotPublished(f"{name} {version} is not published") from missing
    except ValueError as error:
        raise Corrupted(f"{name} {version}: {error}") from error
    if manifest.version != version:
        raise Corrupted(f"{name} {version}: the manifest is of version {manifest.version}")
    return manifest


def _blob(name: str, file: File) -> bytes:
    try:
        content = bucket().get(f"{name}/blobs/{file.sha256}").content
    except Missing as missing:
        raise Corrupted(f"{name}: a file is missing: {file.sha256}") from missing
    if File.of(content) != file:
        raise Corrupted(f"{name}: a file is not what was published: {file.sha256}")
    return content


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for function, arguments in (
        (publish, ("model_dir", "name", "version")),
        (latest, ("name",)),
        (fetch, ("name", "version", "to_dir")),
        (rollback, ("name",)),
    ):
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function, takes=arguments)
        for argument in arguments:
            command.add_argument(argument)
    asked = parser.parse_args(argv)
    try:
        said = asked.function(*(getattr(asked, argument) for argument in asked.takes))
    except NotImplementedError:
        print(f"{asked.command}: not started", file=sys.stderr)
        return 75
    except (NotPublished, AlreadyPublished, Corrupted, FileExistsError) as refusal:
        print(f"{type(refusal).__name__}: {refusal}", file=sys.stderr)
        return 1
    print(said or f"{asked.name} {asked.version} is published")
    return 0


if __name__ == "__main__":
    sys.exit(main())
