"""Puts an image into the registry: its layers first, and its manifest, under the commit as its one tag, last."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ecr import Ecr, code_of
from oci_image import Blob, Image
from trouble import Refused


def publish(ecr: Ecr, service: str, commit: str, image: Image) -> dict[str, Any]:
    """Publish `image` as `service:commit`. Published already, it stays as it is.

    Raises:
        Refused: the tag holds another image.
    """
    here = digest_under(ecr, service, commit)
    if here is None:
        for blob in _missing(ecr, service, image):
            _upload(ecr, service, blob)
        here = _put_manifest(ecr, service, commit, image)
    if here != image.digest:
        raise Refused(
            f"{service}:{commit} is {here} already, and this image is {image.digest}. "
            "A tag never moves: commit your change, and publish it under its own name."
        )
    return {"service": service, "tag": commit, "digest": image.digest}


def digest_under(ecr: Ecr, service: str, tag: str) -> str | None:
    """The digest that a tag names; None where there is no such tag."""
    try:
        found = ecr.call(
            "describe_images",
            expected=("ImageNotFoundException",),
            repositoryName=service,
            imageIds=[{"imageTag": tag}],
        )
    except ClientError:
        return None
    return str(found["imageDetails"][0]["imageDigest"])


def _missing(ecr: Ecr, service: str, image: Image) -> list[Blob]:
    """The blobs that the registry does not have. An image of yesterday shares most of its layers with today's."""
    known: set[str] = set()
    digests = [blob.digest for blob in image.blobs]
    for start in range(0, len(digests), 100):  # the API takes 100 at a time
        found = ecr.call(
            "batch_check_layer_availability",
            repositoryName=service,
            layerDigests=digests[start : start + 100],
        )
        known |= {one["layerDigest"] for one in found["layers"] if one["layerAvailability"] == "AVAILABLE"}
    return [blob for blob in image.blobs if blob.digest not in known]


def _upload(ecr: Ecr, service: str, blob: Blob) -> None:
    begun = ecr.call("initiate_layer_upload", repositoryName=service)
    upload, size = begun["uploadId"], begun["partSize"]
    first = 0
    with blob.path.open("rb") as file:
        while part := file.read(size):
            ecr.call(
                "upload_layer_part",
                repositoryName=service,
                uploadId=upload,
                partFirstByte=first,
                partLastByte=first + len(part) - 1,
                layerPartBlob=part,
            )
            first += len(part)
    try:
        ecr.call(
            "complete_layer_upload",
            expected=("LayerAlreadyExistsException",),  # somebody else was faster: the bytes are the same
            repositoryName=service,
            uploadId=upload,
            layerDigests=[blob.digest],
        )
    except ClientError:
        return


def _put_manifest(ecr: Ecr, service: str, commit: str, image: Image) -> str:
    """Put the manifest; the digest that the tag names then, whoever put it there."""
    taken = ("ImageTagAlreadyExistsException", "ImageAlreadyExistsException")
    try:
        ecr.call(
            "put_image",
            expected=taken,
            repositoryName=service,
            imageManifest=image.manifest,
            imageManifestMediaType=image.media_type,
            imageTag=commit,
        )
    except ClientError as error:
        # Another publisher, or an earlier try of ours whose answer was lost.
        here = digest_under(ecr, service, commit)
        if here is None:
            raise Refused(f"{service}:{commit}: {code_of(error)}, and yet there is no such tag") from error
        return here
    return image.digest
