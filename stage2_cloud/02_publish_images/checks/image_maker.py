"""Makes images as a build leaves them: OCI image layouts. Small, but every digest in them is right.

For practice:  python image_maker.py FOLDER --commit SHA [--layer TEXT]
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
TITLE = "org.opencontainers.image.title"
WHERE = "https://git.nukkad.example/fraud"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Image:
    """`parts`: the configuration first, then the layers."""

    commit: str
    manifest: bytes
    parts: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def blobs(self) -> dict[str, bytes]:
        return {digest_of(part): part for part in self.parts}

    def files(self) -> dict[str, bytes]:
        """The image layout: path in the folder → content."""
        entry = {"mediaType": MANIFEST, "digest": self.digest, "size": len(self.manifest)}
        files = {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
        }
        for digest, content in {**self.blobs, self.digest: self.manifest}.items():
            files[f"blobs/sha256/{digest.removeprefix('sha256:')}"] = content
        return files


def build(commit: str, layers: list[bytes], annotations: Mapping[str, str] | None = None) -> Image:
    """An image of these layers. Its manifest is laid out as no JSON library would do it again."""
    config = json.dumps({"architecture": "arm64", "os": "linux", "config": {"User": "10001"}}).encode()
    said = {REVISION: commit, SOURCE: WHERE, TITLE: "Nukkad Pay · ₹"} if annotations is None else annotations
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "layers": [described(kind, layer) for layer in layers],
        "config": described("application/vnd.oci.image.config.v1+json", config),
        "annotations": dict(said),
        "mediaType": MANIFEST,
    }
    text = json.dumps(manifest, indent=3, ensure_ascii=False, separators=(" ,", ": ")) + "\n"
    return Image(commit, text.encode(), (config, *layers))


def described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(content), "digest": digest_of(content)}


def draw_commit(rng: np.random.Generator, start: str = "") -> str:
    return start + rng.bytes(20).hex()[len(start) :]


def draw_image(
    rng: np.random.Generator, commit: str = "", shared: tuple[bytes, ...] = (), large: bool = False
) -> Image:
    """An image of one or two layers of its own on top of `shared`. `large`: no layer fits into one part."""
    sizes = rng.integers(9_000, 30_000, 2) if large else rng.integers(200, 900, 1)
    own = [rng.bytes(int(size)) for size in sizes]
    return build(commit or draw_commit(rng), [*shared, *own])


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a small image to practise with.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--layer", default="the service", help="what stands in its one layer")
    options = parser.parse_args()
    image = build(options.commit, [options.layer.encode()])
    for path, content in image.files().items():
        target = options.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    print(f"{options.folder}: {image.digest}")


if __name__ == "__main__":
    main()
