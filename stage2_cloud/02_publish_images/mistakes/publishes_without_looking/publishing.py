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
    for blob in image.blobs:
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
            imageDigest=image.digest,
        )
    except ClientError:
        pass  # published already
    return image.digest
