"""Nukkad Pay as one check sees it: a registry with one service in it, and release.py as people run it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import numpy as np
from botocore.config import Config
from botocore.exceptions import ClientError

from image_maker import Image, draw_commit, draw_image
from labs.checks import Finished, Process, Work
from lifecycle_rules import Stored, expired
from registry_between import Between, Scan

REGION, ACCOUNT = "ap-south-1", "123456789012"
DONE, WRONG_INPUT, REFUSED, BLOCKED, API_TROUBLE = 0, 2, 3, 4, 5
ENVIRONMENTS = ("staging", "prod")
FIRST_WAIT = 0.02  # seconds, where nothing is measured
LONG_AGO = 400.0  # days
DEPLOYED_LONG_AGO = "2026-01-05T09:30:00+05:30"  # what the records that we write say
PATIENCE = 60.0  # seconds for a command, on a machine that is busy with others


def client(service: str, variables: Mapping[str, str], token: str | None = None) -> Any:
    return boto3.client(
        service,
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=REGION,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


class Company:
    """One service of a name that nobody knows beforehand, its repository, and what happens to it in one check."""

    def __init__(self, work: Work, services: Any, rng: np.random.Generator, repository: bool = True) -> None:
        self.work, self.rng = work, rng
        self.variables = dict(services.up("aws").variables)
        self.ecr = client("ecr", self.variables)
        self.service = f"{rng.choice(['fraud', 'offers', 'assist'])}-{rng.bytes(3).hex()}"
        self.registry = Between(self.variables)
        self.shared = (rng.bytes(700), rng.bytes(500))  # layers that every image of the service has
        self.folders = 0
        self.opened = datetime.now(UTC)
        if repository:
            self.ecr.create_repository(
                repositoryName=self.service,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
            )

    def __enter__(self) -> Company:
        self.registry.__enter__()
        self.variables["AWS_ENDPOINT_URL"] = self.registry.give_to(self.work)
        return self

    def __exit__(self, *why: Any) -> None:
        self.registry.__exit__(*why)

    # What people run

    def start(self, command: str, *options: str, about: str = "", **env: str) -> Process:
        """`about`: what is special this time, for the reader of a failure."""
        argv = ("release.py", command, "--service", self.service, *options)
        own = {"RELEASE_WAIT_SECONDS": str(FIRST_WAIT), "DEPLOYMENTS": "records"}
        process = self.work.start("python3", *argv, env={**self.variables, **own, **env}, warm=True)
        process.did = " ".join(("release.py", command, *map(self._short, options)))
        process.did += f"  ({about})" if about else ""
        return process

    def run(self, command: str, *options: str, about: str = "", **env: str) -> Finished:
        return self.start(command, *options, about=about, **env).wait(PATIENCE)

    def publish(self, image: Image, about: str = "", **env: str) -> Finished:
        return self.run("publish", *self.published(image), about=about, **env)

    def published(self, image: Image) -> tuple[str, ...]:
        """The options that publish an image."""
        return ("--commit", image.commit, "--image", self.folder(image))

    def deploy(self, environment: str, *options: str, about: str = "", **env: str) -> Finished:
        return self.run("deploy", "--env", environment, *options, about=about, **env)

    def stage(self, image: Image, *options: str, about: str = "", **env: str) -> Finished:
        return self.deploy("staging", "--digest", image.digest, *options, about=about, **env)

    def _short(self, option: str) -> str:
        option = option.replace(self.work.inputs + "/", "")
        return (
            option[:19] + "…"
            if option.startswith("sha256:")
            else option[:12] + "…"
            if len(option) == 40
            else option
        )

    # What is there

    def folder(self, image: Image, changed: Mapping[str, bytes | None] | None = None) -> str:
        """The image as an OCI image layout, with files changed or (None) left out."""
        self.folders += 1
        name = f"image-{self.folders}"
        for path, content in {**image.files(), **(changed or {})}.items():
            if content is not None:
                self.work.give(f"{name}/{path}", content)
        return f"{self.work.inputs}/{name}"

    def draw(self, start: str = "", large: bool = False) -> Image:
        return draw_image(self.rng, draw_commit(self.rng, start), self.shared, large)

    def push(self, image: Image, scan: Scan | None = None, tag: str | None = "") -> Image:
        """Into the registry, by us. `tag`: the commit, another one, or None."""
        self.registry.layers |= {(self.service, digest) for digest in image.blobs}
        named = {} if tag is None else {"imageTag": tag or image.commit}
        self.ecr.put_image(
            repositoryName=self.service,
            imageManifest=image.manifest.decode(),
            imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
            imageDigest=image.digest,
            **named,
        )
        self.registry.tags.update({(self.service, name): image.digest for name in named.values()})
        self.registry.scans[image.digest] = scan or Scan()
        return image

    def pushed(self, count: int) -> list[Image]:
        return [self.push(self.draw()) for _ in range(count)]

    def images(self) -> dict[str, tuple[str, ...]]:
        """Digest → tags of what is in the repository."""
        found = self.ecr.describe_images(repositoryName=self.service)["imageDetails"]
        return {one["imageDigest"]: tuple(sorted(one.get("imageTags", []))) for one in found}

    def policy(self) -> str:
        """The text of the lifecycle policy; "" where there is none."""
        try:
            return str(self.ecr.get_lifecycle_policy(repositoryName=self.service)["lifecyclePolicyText"])
        except ClientError:
            return ""

    def expires(self, days: Mapping[str, float] | None = None) -> set[str]:
        """The digests that the policy deletes when images are so many days old; all others are very old."""
        days = days or {}
        text = self.policy()
        stored = [Stored(digest, tags, days.get(digest, LONG_AGO)) for digest, tags in self.images().items()]
        return expired(text, stored) if text else set()

    def uri(self, image: Image) -> str:
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{self.service}@{image.digest}"

    # What the records say

    def path(self, environment: str) -> str:
        return f"records/{self.service}/{environment}.json"

    def record(self, environment: str) -> dict[str, Any] | None:
        document = self.work.read(self.path(environment))
        if not document.exists:
            return None
        said = document.json()
        if not isinstance(said, dict):
            document.fail(wanted="a JSON object", got="something else")
        return said

    def runs(self, environment: str) -> str | None:
        return _text((self.record(environment) or {}).get("digest"))

    def records(self) -> tuple[Any, ...]:
        """What both records say: for comparing."""
        return tuple(self.record(environment) for environment in ENVIRONMENTS)

    def needed(self) -> set[str]:
        """The digests that a record names."""
        return {
            digest
            for environment in ENVIRONMENTS
            for digest in (self.runs(environment), *self.history(environment))
            if digest
        }

    def history(self, environment: str) -> list[str | None]:
        found = (self.record(environment) or {}).get("history")
        rows = found if isinstance(found, list) else []
        return [_text(row.get("digest")) if isinstance(row, dict) else None for row in rows]

    def write_record(self, environment: str, current: Image, history: Iterable[Image] = ()) -> None:
        """A record as the contract has it, written by us."""
        said = {"service": self.service, "env": environment, **self._release(current)}
        said["history"] = [self._release(image) for image in history]
        self.work.put(self.path(environment), json.dumps(said, indent=1))

    def _release(self, image: Image) -> dict[str, str]:
        return {
            "digest": image.digest,
            "image": self.uri(image),
            "commit": image.commit,
            "deployed_at": DEPLOYED_LONG_AGO,
        }


def _text(found: Any) -> str | None:
    return found if isinstance(found, str) else None


def ends(done: Finished, status: int, hint: str = "") -> Finished:
    """It ended with this status, and said why in words where that is not 0."""
    done.expect(status=status, hint=hint)
    done.require(
        status == DONE or (done.stderr.strip() and "Traceback (most recent call last)" not in done.stderr),
        wanted="a message on standard error that says why",
        got="a traceback" if done.stderr.strip() else "nothing there",
        hint="At 3 AM somebody reads the log of the pipeline: a status alone does not tell what to do.",
    )
    return done


def said(done: Finished) -> dict[str, Any]:
    """The JSON object that a command that worked has printed."""
    try:
        found = json.loads(done.stdout)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        done.fail(wanted="one JSON object on standard output, and nothing else there", got="something else")
    return found
