"""An image as a build leaves it: a folder in the OCI image layout. Everything is checked before anything is sent.

Source: "OCI Image Format Specification", pages "Image Layout", "Image Manifest" and "Annotations".
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trouble import WrongInput

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REVISION = "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Blob:
    """A layer, or the configuration of an image."""

    digest: str
    path: Path


@dataclass(frozen=True)
class Image:
    """`manifest` is the very text that `digest` (sha256:…) is of: another order of its keys is another image."""

    digest: str
    manifest: str
    media_type: str
    blobs: tuple[Blob, ...]


def read_image(folder: Path, commit: str) -> Image:
    """The image in `folder`, which must say that it was built from `commit`.

    Raises:
        WrongInput: it is no whole image, or it was not built from `commit`.
    """
    try:
        index = json.loads((folder / "index.json").read_bytes())
        (entry,) = index["manifests"]
        content = _content(folder, entry)
        manifest = json.loads(content)
        _check_origin(manifest.get("annotations") or {}, commit)
        parts = [manifest["config"], *manifest["layers"]]
        blobs = {}
        for part in parts:
            _content(folder, part)
            blobs[part["digest"]] = Blob(part["digest"], _path(folder, part["digest"]))
        media_type = manifest.get("mediaType") or entry["mediaType"]
        return Image(entry["digest"], content.decode(), str(media_type), tuple(blobs.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongInput(
            f"{folder} is no OCI image with one manifest: {type(error).__name__}: {error}"
        ) from error


def origin(manifest: str) -> str:
    """The commit that a manifest says it was built from; "" where it does not say."""
    try:
        return str(json.loads(manifest)["annotations"][REVISION])
    except (ValueError, KeyError, TypeError):
        return ""


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _path(folder: Path, digest: str) -> Path:
    if not DIGEST.fullmatch(digest):
        raise WrongInput(f"{digest!r} is no sha256 digest")
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _content(folder: Path, descriptor: dict[str, Any]) -> bytes:
    """What a descriptor names, if its bytes are what it says."""
    content = _path(folder, descriptor["digest"]).read_bytes()
    if len(content) != descriptor["size"] or digest_of(content) != descriptor["digest"]:
        raise WrongInput(f"the file of {descriptor['digest']} holds something else: build the image again")
    return content


def _check_origin(annotations: dict[str, str], commit: str) -> None:
    if annotations.get(REVISION) != commit:
        raise WrongInput(f"the image was built from {annotations.get(REVISION)!r}, not from {commit}")
