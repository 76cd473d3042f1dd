"""What is published, by whom, and what must be in the registry afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

from answers_of_ecr import SILENCE, Said
from company import DONE, PATIENCE, REFUSED, Company
from image_maker import MANIFEST, REVISION, SOURCE, WHERE, Image, build, described, digest_of, draw_commit
from labs.checks import Finished
from registry_between import Call
from scenes import expect_said

INDEX = "application/vnd.oci.image.index.v1+json"


def set_up(company: Company, before: str) -> None:
    """Run `setup` on what is there, and look at the repository."""
    name = {"repositoryName": company.service}
    if before == "a repository made by hand":
        company.ecr.put_image_tag_mutability(**name, imageTagMutability="MUTABLE")
        company.ecr.put_image_scanning_configuration(**name, imageScanningConfiguration={"scanOnPush": False})
    done = company.run("setup", about=before).expect(status=DONE)
    found = company.ecr.describe_repositories()["repositories"]
    ours = next((one for one in found if one["repositoryName"] == company.service), {})
    tags, scanning = ours.get("imageTagMutability"), ours.get("imageScanningConfiguration")
    done.require(
        (tags, scanning) == ("IMMUTABLE", {"scanOnPush": True}),
        wanted="a repository with IMMUTABLE tags and scanOnPush",
        got=f"{tags} tags and {scanning}" if ours else "no repository",
        hint="A repository that exists already is not always as you would have made it.",
    )


def expect_published(company: Company, image: Image, done: Finished) -> None:
    found = company.images()
    done.require(
        image.digest in found,
        wanted=f"the image {image.digest}",
        got=", ".join(found) or "no image",
        hint="The digest is the SHA-256 of the manifest's bytes as they lie in the folder: send that text, unchanged.",
    )
    done.require(
        found[image.digest] == (image.commit,),
        wanted=f"the one tag {image.commit}",
        got=", ".join(found[image.digest]) or "no tag",
        hint="One tag that never moves. `latest` says nothing about what it was yesterday.",
    )
    expect_said(done, service=company.service, tag=image.commit, digest=image.digest)


def expect_compared(company: Company, image: Image, done: Finished) -> None:
    """ECR was told which digest the manifest should have."""
    told = [call.said.get("imageDigest") for call in company.registry.of("PutImage")]
    done.require(
        told and all(one == image.digest for one in told),
        wanted="PutImage with the digest of the manifest as `imageDigest`",
        got="PutImage without one" if None in told else "PutImage with another one",
        hint="Who compares what has arrived with what you have checked?",
    )


def expect_nothing_written(company: Company, done: Finished, since: int = 0) -> None:
    writes = sorted({call.operation for call in company.registry.calls[since:] if call.writes})
    done.require(
        not writes,
        wanted="no call that changes the registry",
        got=", ".join(writes),
        hint="First look at everything that was handed in. Then begin to send.",
    )


def broken_folders(company: Company) -> Iterator[tuple[str, str, str]]:
    """(what is wrong, commit, folder): nothing of them may reach the registry."""
    rng = company.rng
    image = company.draw()
    parts = [f"blobs/sha256/{digest.removeprefix('sha256:')}" for digest in image.blobs]
    content = dict(zip(parts, image.parts, strict=True))
    path = parts[int(rng.integers(len(parts)))]
    place = int(rng.integers(len(content[path])))
    damaged = bytearray(content[path])
    damaged[place] ^= 1 << int(rng.integers(8))
    yield "one bit of one blob is wrong", image.commit, company.folder(image, {path: bytes(damaged)})
    path = parts[int(rng.integers(len(parts)))]
    yield "a blob is cut short", image.commit, company.folder(image, {path: content[path][:-1]})
    yield "a layer is missing", image.commit, company.folder(image, {parts[-1]: None})
    manifest = f"blobs/sha256/{image.digest.removeprefix('sha256:')}"
    yield (
        "the manifest is not what index.json names",
        image.commit,
        company.folder(image, {manifest: image.manifest.rstrip()}),
    )
    yield "built from another commit", draw_commit(rng), company.folder(image)
    untold = build(image.commit, list(image.parts[1:]), {SOURCE: WHERE})
    yield "no revision in its annotations", image.commit, company.folder(untold)
    lost = {REVISION: image.commit} | ({SOURCE: ""} if rng.integers(2) else {})
    yield (
        "no source in its annotations",
        image.commit,
        company.folder(build(image.commit, [rng.bytes(300)], lost)),
    )
    for what, files in _several(image, company.draw()):
        yield what, image.commit, company.folder(image, files)
    yield "a short commit", image.commit[:12], company.folder(build(image.commit[:12], [rng.bytes(300)]))


def _several(image: Image, other: Image) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(what, files): `image` is the first of two. As a build for several platforms, or with an attestation, leaves it.

    Source: "OCI Image Format Specification", pages "Image Layout" and "Image Index".
    """
    both = [described(MANIFEST, one.manifest) for one in (image, other)]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": both}).encode()
    files = {**other.files(), "index.json": index}
    yield "two images in index.json", files
    inner = {"schemaVersion": 2, "manifests": [described(INDEX, index)]}
    blob = f"blobs/sha256/{digest_of(index).removeprefix('sha256:')}"
    yield "index.json names another index", {**files, blob: index, "index.json": json.dumps(inner).encode()}


class Gathers:
    """Holds the first PutImage back until a second one has come, or some seconds are over."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds, self.first = seconds, threading.Lock()
        self.second_came = threading.Event()

    def __call__(self, call: Call) -> Said | None:
        if call.operation == "PutImage":
            if self.first.acquire(blocking=False):  # once, for ever
                self.second_came.wait(self.seconds)
            else:
                self.second_came.set()
        return None


def both_at_once(company: Company, one: Image, two: Image) -> list[Finished]:
    """Two pipelines publish under one tag: both have looked before either puts its manifest."""
    company.registry.before = Gathers()
    running = [
        company.start("publish", *company.published(image), about="two at once") for image in (one, two)
    ]
    done = [process.wait(PATIENCE) for process in running]
    company.registry.before = lambda call: None
    return done


def expect_one_winner(company: Company, one: Image, two: Image) -> None:
    """Of two images under one tag at once, one is there, and the other pipeline knows."""
    finished = both_at_once(company, one, two)
    for done in finished:
        done.expect(status={DONE, REFUSED}, hint="The other pipeline came first between look and put.")
    won = [image.digest for image, done in zip((one, two), finished, strict=True) if done.status == DONE]
    finished[0].require(
        won == [digest for digest, tags in company.images().items() if one.commit in tags],
        wanted="status 0 for the image that is under the tag, and 3 for the other one",
        got=f"statuses {' and '.join(sorted(str(done.status) for done in finished))}",
        hint="The registry decides who was first. What does it answer to the second?",
    )


def expect_few_layers_sent(company: Company, first: Image) -> None:
    """An image that shares most layers with `first`, which is there, needs one layer to be sent."""
    before = len(company.registry.of("InitiateLayerUpload"))
    second = company.draw()
    done = company.publish(second, about="most layers are there").expect(status=DONE)
    expect_published(company, second, done)
    begun = len(company.registry.of("InitiateLayerUpload"))
    new = len(second.blobs.keys() - first.blobs.keys())
    done.require(
        (before, begun - before) == (len(first.blobs), new),
        wanted=f"each layer sent once: {len(first.blobs)} of the first image, {new} of the second",
        got=f"{before} and {begun - before} sent",
        hint="The registry can say which layers it has.",
    )


def lose_an_answer(company: Company) -> None:
    """ECR takes the manifest, and the connection breaks before it can say so."""
    lost = len(company.registry.of("PutImage")) + 1
    company.registry.after = lambda call: (
        SILENCE if (call.operation, call.number) == ("PutImage", lost) else None
    )
    image = company.draw()
    done = company.publish(image, about="the answer to PutImage is lost").expect(status=DONE)
    expect_published(company, image, done)


def expect_nothing_pushed(company: Company, done: Finished) -> None:
    done.require(
        not company.registry.of("PutImage"),
        wanted="nothing pushed",
        got="PutImage",
        hint="Promote the bytes that were tried. A build that is repeated is another build.",
    )
