"""The release tool of Nukkad Pay, in one file."""

import contextlib
import datetime as dt
import fcntl
import functools
import hashlib
import json
import math
import os
import pathlib
import random
import re
import sys
import time

import boto3
import botocore.config
import botocore.exceptions
import click

ROOT = pathlib.Path(os.environ.get("DEPLOYMENTS", "deployments"))
PATIENCE = float(os.environ.get("RELEASE_WAIT_SECONDS", "1"))
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
NOW = dt.datetime.now(dt.UTC)


def stop(status, message):
    print(message, file=sys.stderr)
    sys.exit(status)


def say(**result):
    print(json.dumps(result))


@functools.cache
def ecr():
    return boto3.client("ecr", config=botocore.config.Config(retries={"total_max_attempts": 1}))


def ask(operation, *fine, **arguments):
    """The answer; or, for the error codes in `fine`, the code as text."""
    for attempt in range(6):
        try:
            return getattr(ecr(), operation)(**arguments)
        except botocore.exceptions.ClientError as problem:
            code = problem.response["Error"]["Code"]
            if code in fine:
                return code
            if code != "ThrottlingException" and problem.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                stop(5, f"ECR refuses {operation}: {problem}")
        except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError) as problem:
            print(f"{operation}: {problem}", file=sys.stderr)
        except botocore.exceptions.BotoCoreError as broken:
            stop(5, f"{operation}: {broken}")
        if attempt < 5:
            time.sleep(PATIENCE * 2**attempt * (1 + random.random() / 2))
    return stop(5, f"ECR did not take {operation} in six tries")


def ask_image(service, **identity):
    """(digest, manifest) of an image; (None, None) if it is not there."""
    kinds = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    found = ask("batch_get_image", repositoryName=service, imageIds=[identity], acceptedMediaTypes=kinds)[
        "images"
    ]
    if not found:
        return None, None
    return found[0]["imageId"]["imageDigest"], found[0]["imageManifest"]


class Environment:
    def __init__(self, service, name):
        self.service, self.name, self.path = service, name, ROOT / service / f"{name}.json"
        try:
            self.releases = None
            text = self.path.read_text("utf-8")
            said = json.loads(text)
            self.releases = [self.short(said), *map(self.short, said["history"])]
        except FileNotFoundError:
            self.releases = []
        except Exception as problem:
            stop(2, f"{self.path} is damaged: {problem!r}")

    @staticmethod
    def short(said):
        if not SHA256.fullmatch(said["digest"]):
            raise ValueError(said["digest"])
        return {key: said[key] for key in ("digest", "image", "commit", "deployed_at")}

    @property
    def digest(self):
        return self.releases[0]["digest"] if self.releases else None

    def save(self, releases):
        new = self.path.with_suffix(f".{os.getpid()}")
        top, *rest = releases[:4]
        new.write_text(
            json.dumps({"service": self.service, "env": self.name, **top, "history": rest}), "utf-8"
        )
        new.replace(self.path)


@contextlib.contextmanager
def alone(service):
    """One command at a time for a service, from its first look to its last write."""
    try:
        (ROOT / service).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(ROOT / service, os.O_RDONLY)
    except OSError as problem:
        stop(2, f"{ROOT / service} cannot be used: {problem}")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Environment(service, "staging"), Environment(service, "prod")
    finally:
        os.close(descriptor)


def keep(service, releases):
    def rule(priority, number, unit, **selection):
        how = (
            {"countType": "sinceImagePushed", "countUnit": "days"}
            if unit
            else {"countType": "imageCountMoreThan"}
        )
        return {
            "rulePriority": priority,
            "selection": {**selection, **how, "countNumber": number},
            "action": {"type": "expire"},
        }

    commits = {release["commit"] for release in releases}
    rules = [
        rule(10 + place, 9999, False, tagStatus="tagged", tagPrefixList=[commit])
        for place, commit in enumerate(commits)
    ]
    rules += [rule(90, 30, True, tagStatus="untagged"), rule(99, 30, True, tagStatus="any")]
    ask("put_lifecycle_policy", repositoryName=service, lifecyclePolicyText=json.dumps({"rules": rules}))


def release_of(service, digest):
    _, manifest = ask_image(service, imageDigest=digest)
    if manifest is None:
        stop(3, f"there is no image {digest} in {service}")
    commit = (json.loads(manifest).get("annotations") or {}).get("org.opencontainers.image.revision", "")
    if not re.fullmatch("[0-9a-f]{40}", commit) or ask_image(service, imageTag=commit)[0] != digest:
        stop(3, f"nobody knows what {digest} was built from")
    region, account = ecr().meta.region_name, "123456789012"
    image = f"{account}.dkr.ecr.{region}.amazonaws.com/{service}@{digest}"
    return {"digest": digest, "image": image, "commit": commit, "deployed_at": NOW.isoformat()}


def scan(service, digest, limit):
    end, pause = time.monotonic() + limit, PATIENCE
    about = {"repositoryName": service, "imageId": {"imageDigest": digest}}
    while True:
        reply = ask("describe_image_scan_findings", "ScanNotFoundException", **about)
        if isinstance(reply, str):
            ask("start_image_scan", "LimitExceededException", **about)
            state = "PENDING"
        else:
            state = reply["imageScanStatus"]["status"]
        if state == "COMPLETE":
            break
        if state not in ("PENDING", "IN_PROGRESS") or time.monotonic() > end:
            stop(4, f"no complete scan of {digest}: {state}")
        time.sleep(min(pause, max(end - time.monotonic(), 0.01)))
        pause = min(pause * 2, PATIENCE * 16)
    while True:
        yield from reply.get("imageScanFindings", {}).get("findings", [])
        if "nextToken" not in reply:
            return
        reply = ask("describe_image_scan_findings", **about, nextToken=reply["nextToken"])


def accepted(file):
    names = set()
    try:
        for entry in json.loads(pathlib.Path(file).read_text("utf-8"))["exceptions"] if file else ():
            last = dt.date.fromisoformat(entry["expires"])
            if not (entry["reason"].strip() and entry["vulnerability"].strip()):
                raise ValueError("an entry without a name or a reason")
            if (last - NOW.date()).days > 90:
                raise ValueError(f"{last} is too far away")
            if last >= NOW.date():
                names.add(entry["vulnerability"])
    except Exception as problem:
        stop(2, f"{file}: {problem!r}")
    return names


class Layout:
    """An image on disk, checked."""

    def __init__(self, folder, commit):
        self.folder = pathlib.Path(folder)
        try:
            (entry,) = json.loads((self.folder / "index.json").read_text("utf-8"))["manifests"]
            self.digest = entry["digest"]
            self.text = self.blob(entry).decode()
            self.manifest = json.loads(self.text)
            self.parts = {one["digest"]: one for one in (self.manifest["config"], *self.manifest["layers"])}
            for one in self.parts.values():
                self.blob(one)
            notes = self.manifest["annotations"]
            if (
                notes["org.opencontainers.image.revision"] != commit
                or not notes["org.opencontainers.image.source"]
            ):
                raise ValueError("it comes from somewhere else")
        except Exception as problem:
            stop(2, f"{folder} is not the image of {commit}: {problem!r}")

    def blob(self, descriptor):
        name = descriptor["digest"].split(":")[1]
        data = (self.folder / "blobs" / "sha256" / name).read_bytes()
        if (hashlib.sha256(data).hexdigest(), len(data)) != (name, descriptor["size"]):
            raise ValueError(f"{name} is damaged")
        return data


cli = click.Group()
service_option = click.option("--service", required=True)
environment_option = click.option("--env", "env", required=True, type=click.Choice(["staging", "prod"]))


def hexadecimal(context, parameter, value):
    if value is not None and not re.fullmatch("[0-9a-f]{40}", value):
        raise click.BadParameter("40 hexadecimal digits, please")
    return value


@cli.command()
@service_option
def setup(service):
    # Read before anything is written: a damaged record ends it here.
    releases = [release for env in ("staging", "prod") for release in Environment(service, env).releases]
    scanning = {"repositoryName": service, "imageScanningConfiguration": {"scanOnPush": True}}
    if isinstance(
        ask(
            "create_repository",
            "RepositoryAlreadyExistsException",
            imageTagMutability="IMMUTABLE",
            **scanning,
        ),
        str,
    ):
        ask("put_image_scanning_configuration", **scanning)
        ask("put_image_tag_mutability", repositoryName=service, imageTagMutability="IMMUTABLE")
    if isinstance(
        ask("get_lifecycle_policy", "LifecyclePolicyNotFoundException", repositoryName=service), str
    ):
        keep(service, releases)
    say(service=service)


@cli.command()
@service_option
@click.option("--role", required=True, type=click.Choice(["publisher", "deployer"]))
def policy(service, role):
    arn = f"arn:aws:ecr:ap-south-1:123456789012:repository/{service}"
    verbs = {
        "publisher": "BatchGetImage PutImage BatchCheckLayerAvailability InitiateLayerUpload UploadLayerPart "
        "CompleteLayerUpload",
        "deployer": "BatchGetImage DescribeImages DescribeImageScanFindings StartImageScan PutLifecyclePolicy",
    }
    say(
        Version="2012-10-17",
        Statement=[
            {"Sid": "Login", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
            {"Effect": "Allow", "Action": [f"ecr:{verb}" for verb in verbs[role].split()], "Resource": [arn]},
        ],
    )


@cli.command()
@service_option
@click.option("--commit", required=True, callback=hexadecimal)
@click.option("--image", required=True)
def publish(service, commit, image):
    layout = Layout(image, commit)
    if ask_image(service, imageTag=commit)[0] is None:
        layers = ask(
            "batch_check_layer_availability", repositoryName=service, layerDigests=list(layout.parts)
        )
        there = {one["layerDigest"] for one in layers["layers"] if one["layerAvailability"] == "AVAILABLE"}
        for digest in layout.parts.keys() - there:
            data = layout.blob(layout.parts[digest])
            upload = ask("initiate_layer_upload", repositoryName=service)
            here = {"repositoryName": service, "uploadId": upload["uploadId"]}
            for first in range(0, len(data), upload["partSize"]):
                piece = data[first : first + upload["partSize"]]
                last = first + len(piece) - 1
                ask("upload_layer_part", partFirstByte=first, partLastByte=last, layerPartBlob=piece, **here)
            ask("complete_layer_upload", "LayerAlreadyExistsException", layerDigests=[digest], **here)
        ask(
            "put_image",
            "ImageAlreadyExistsException",
            "ImageTagAlreadyExistsException",
            repositoryName=service,
            imageTag=commit,
            imageDigest=layout.digest,
            imageManifest=layout.text,
            imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        )
    there, _ = ask_image(service, imageTag=commit)
    if there != layout.digest:
        stop(3, f"the tag {commit} belongs to {there}")
    say(service=service, tag=commit, digest=layout.digest)


@cli.command()
@service_option
@environment_option
@click.option("--commit", callback=hexadecimal)
@click.option("--digest")
@click.option("--exceptions")
@click.option("--scan-timeout", type=float, default=300.0)
def deploy(service, env, commit, digest, exceptions, scan_timeout):
    if not (math.isfinite(scan_timeout) and scan_timeout >= 0):
        stop(2, f"--scan-timeout {scan_timeout} is no number of seconds")
    names = accepted(exceptions)
    if commit:
        digest, _ = ask_image(service, imageTag=commit)
        if digest is None:
            stop(3, f"{commit} was never published")
    staging = Environment(service, "staging")
    Environment(service, "prod")
    if env == "prod":
        if staging.digest is None or (digest or staging.digest) != staging.digest:
            stop(3, "that is not what staging runs")
        digest = staging.digest
    if not digest:
        stop(2, "which image? --commit or --digest")
    release = release_of(service, digest)
    bad = [
        one["name"] for one in scan(service, digest, scan_timeout) if one["severity"] in ("CRITICAL", "HIGH")
    ]
    if open_ones := [name for name in bad if name not in names]:
        stop(4, f"{digest}: {open_ones}")
    with alone(service) as both:
        if env == "prod" and both[0].digest != digest:
            stop(3, "staging runs another image by now")
        mine = both[env == "prod"]
        keep(service, [*both[0].releases, *both[1].releases, release])
        if mine.digest != digest:
            mine.save([release, *mine.releases])
    say(service=service, env=env, digest=digest, commit=release["commit"])


@cli.command()
@service_option
@environment_option
def rollback(service, env):
    with alone(service) as both:
        mine = both[env == "prod"]
        if len(mine.releases) < 2:
            stop(3, "there is nothing before")
        back = release_of(service, mine.releases[1]["digest"])
        keep(service, [*both[0].releases, *both[1].releases])
        mine.save([back, *mine.releases[2:]])
    say(service=service, env=env, digest=back["digest"], commit=back["commit"])


@cli.command()
@service_option
def gc(service):
    if not (ROOT / service).is_dir():
        stop(2, f"no records in {ROOT / service}")
    with alone(service) as both:
        releases = [*both[0].releases, *both[1].releases]
        if not releases:
            stop(2, "no records")
        keep(service, releases)
    say(service=service, kept=len(releases))


if __name__ == "__main__":
    cli()
