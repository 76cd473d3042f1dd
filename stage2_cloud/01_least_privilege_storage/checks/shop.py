"""Drives `artifacts.py` of a learner on a bucket of the grader's own, and looks at what it did to the bucket."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from botocore.exceptions import ClientError

from account import Account, refusal
from between import Between, Held
from labs.checks import Answer, Finished, Process, Work, show
from world import Model

SCRIPT = ("python3", "artifacts.py")
SECONDS = 60.0  # for one command; only one that hangs needs them
Evidence = Answer | Finished


class Shop:
    """One learner's `artifacts.py`, and one bucket."""

    def __init__(self, work: Work, account: Account, bucket: str) -> None:
        self.work, self.account, self.bucket = work, account, bucket
        self._folders = 0
        variables = {**account.variables, "ARTIFACTS_BUCKET": bucket}
        work.reach(urlsplit(account.url).port or 0, variables)

    # What the learner's code is asked to do

    def folder(self, model: Model) -> str:
        """A folder with the files of a model, in the learner's folder."""
        self._folders += 1
        for path, content in model.files.items():
            self.work.put(f"model-{self._folders}/{path}", content)
        return f"model-{self._folders}"

    def publish(self, model: Model, name: str, version: str, **how: Any) -> Answer:
        return self.work.call(
            "artifacts.py:publish", self.folder(model), name, version, timeout=SECONDS, **how
        )

    def latest(self, name: str, **how: Any) -> Answer:
        return self.work.call("artifacts.py:latest", name, timeout=SECONDS, **how)

    def rollback(self, name: str, **how: Any) -> Answer:
        return self.work.call("artifacts.py:rollback", name, timeout=SECONDS, **how)

    def fetch(
        self, name: str, version: str, *, empty: bool = False, holds: Model | None = None, **how: Any
    ) -> tuple[Answer, str]:
        """The answer, and the folder that it was to write. It does not exist yet, is `empty`, or `holds` files."""
        self._folders += 1
        to_dir = f"fetched-{self._folders}"
        if empty:
            self.work.run("mkdir", to_dir).expect(status=0)
        for path, content in (holds.files if holds else {}).items():
            self.work.put(f"{to_dir}/{path}", content)
        return self.work.call("artifacts.py:fetch", name, version, to_dir, timeout=SECONDS, **how), to_dir

    def begin(self, between: Between, *words: str) -> Process:
        """A command whose requests all stop in between."""
        self.work.reach(between.port, {})
        return self.work.start(*SCRIPT, *words, env={"AWS_ENDPOINT_URL": between.url}, warm=True)

    def run(self, *words: str, env: Mapping[str, str]) -> Finished:
        return self.work.run(*SCRIPT, *words, env=env, warm=True, timeout=SECONDS)

    # What the grader sees

    def expect_whole(self, name: str, version: str, wanted: Model, hint: str, *, empty: bool = False) -> None:
        """`fetch` writes exactly the files of the model, to a folder that does not exist yet or is `empty`."""
        answer, folder = self.fetch(name, version, empty=empty)
        answer.require(
            not (wrong := self.differences(folder, wanted)),
            wanted=f"the {len(wanted.files)} files that were published",
            got=wrong,
            hint=hint,
        )

    def expect_refused(self, name: str, version: str, errors: tuple[str, ...], case: str) -> None:
        """`fetch` raises one of these (whatever, if there are none), and leaves nothing in the folder or beside it."""
        before = self._files()
        answer, folder = self.fetch(name, version, may_raise=True)
        hint = "Check every file against the manifest before anybody sees it."
        if errors:
            expect_error(answer, errors, case, hint)
        else:
            answer.require(answer.error, wanted=f"an error: {case}", got="an answer", hint=hint)
        left = self.differences(folder, Model({}))
        answer.require(
            not left,
            wanted="nothing in the folder when the fetch failed",
            got=left,
            hint="Download to a folder beside it, and rename when all is checked.",
        )
        beside = sorted(self._files() - before)
        answer.require(
            not beside,
            wanted="nothing beside the folder either when the fetch failed",
            got=f"{len(beside)} files, the first of which is {beside[0] if beside else ''}",
            hint="Whatever ends a fetch must pass by the place where you tidy up.",
        )

    def expect_untouched(self, name: str, version: str, rng: np.random.Generator) -> None:
        """`fetch` to a folder in which somebody has a file raises an error, and the file is there as it was, alone."""
        mine = Model({"mine/notes.txt": rng.bytes(20).hex().encode()})
        answer, folder = self.fetch(name, version, holds=mine, may_raise=True)
        changed = self.differences(folder, mine)
        answer.require(
            answer.error and not changed,
            wanted="an error, and the folder as it was: there is somebody's file in it",
            got=changed or "an answer",
            hint="Look into `to_dir` before you write there, or put anything in its place.",
        )

    def _files(self) -> set[str]:
        return {path for path in self.work.files() if "__pycache__" not in path}

    def expect_latest(self, name: str, version: str, hint: str) -> None:
        self.latest(name).expect(value=version, hint=hint)

    def differences(self, folder: str, wanted: Model) -> str:
        """What is not as in `wanted`, in words; "" when all is."""
        there = {
            path.removeprefix(f"{folder}/"): path
            for path in self.work.files()
            if path.startswith(f"{folder}/")
        }
        for words, paths in (
            ("missing", set(wanted.files) - set(there)),
            ("too many", set(there) - set(wanted.files)),
            ("with another content", self._changed(there, wanted)),
        ):
            if paths:
                return f"{len(paths)} {'file' if len(paths) == 1 else 'files'} {words}: {', '.join(sorted(paths)[:3])}"
        return ""

    def _changed(self, there: Mapping[str, str], wanted: Model) -> set[str]:
        both = set(there) & set(wanted.files)
        return {path for path in both if self.work.read(there[path]).bytes != wanted.files[path]}

    def stored(self, key: str) -> bytes | None:
        """The content of an object; None where there is none."""
        try:
            found = self.account.client("s3").get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if refusal(error)[0] != 404:
                raise
            return None
        return bytes(found["Body"].read())

    def pointer(self, name: str) -> dict[str, Any]:
        """What `latest.json` says; {} where it is no JSON object."""
        return as_object(self.stored(f"{name}/latest.json"))

    def plant(self, key: str, content: bytes) -> None:
        self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    @contextlib.contextmanager
    def sealed(self, key: str) -> Iterator[None]:
        """Nobody may read this object meanwhile."""
        s3 = self.account.client("s3")
        arn = f"arn:aws:s3:::{self.bucket}/{key}"
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": arn}
        s3.put_bucket_policy(
            Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        )
        try:
            yield
        finally:
            s3.delete_bucket_policy(Bucket=self.bucket)

    def remove(self, key: str) -> None:
        self.account.client("s3").delete_object(Bucket=self.bucket, Key=key)

    def expect_stored(self, answer: Evidence, name: str, version: str, model: Model) -> None:
        """The manifest and the blobs are as the contract says."""
        manifest = as_object(self.stored(f"{name}/versions/{version}.json"))
        files = manifest.get("files")
        said = {path: about_file(about) for path, about in files.items()} if isinstance(files, dict) else None
        answer.require(
            manifest.get("version") == version and said == model.manifest,
            wanted=f"`{name}/versions/{version}.json` with the version, and sha256 and bytes of each file",
            got=show(manifest) if manifest else "no JSON object there",
            hint="See the table of keys in the contract.",
        )
        for path, content in model.files.items():
            key = f"{name}/blobs/{model.manifest[path]['sha256']}"
            there = self.stored(key)
            answer.require(
                there == content,
                wanted=f"the content of `{path}` at `{key}`",
                got="nothing there" if there is None else f"{len(there)} other bytes",
                hint="A blob is called after the sha256 of its bytes.",
            )


def expect_error(answer: Answer, errors: tuple[str, ...], case: str, hint: str) -> None:
    names = (answer.error.type, *answer.error.bases) if answer.error else ()
    got = f"{answer.error.type}" if answer.error else f"an answer: {show(answer.value)}"
    answer.require(
        set(names) & set(errors),
        wanted=f"{' or '.join(errors)}: {case}",
        got=got,
        hint=hint,
        measured=str(answer.error) if answer.error else "",
    )


def expect_pointer(shop: Shop, did: Evidence, name: str, version: str, previous: str | None) -> None:
    wanted = {"version": version, "previous": previous}
    got = shop.pointer(name)
    did.require(
        {key: got.get(key, "nothing") for key in wanted} == wanted,
        wanted=f"`{name}/latest.json` with {json.dumps(wanted)}",
        got=json.dumps({key: got[key] for key in wanted if key in got}),
        hint="The pointer names the version in use and the one before.",
    )


def about_file(about: Any) -> Any:
    """What a manifest says of a file, without fields that are the learner's own."""
    return {key: about.get(key) for key in ("sha256", "bytes")} if isinstance(about, dict) else about


def as_object(text: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(text or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def until(process: Process, between: Between, stop: Any) -> Held | None:
    """Let requests through until one is met for which `stop` holds; None if there is none before the end."""
    while held := between.next(lambda: process.alive):
        if stop(held):
            return held
        held.go()
    return None
