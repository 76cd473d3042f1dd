"""Archives of images: as `docker save` wrote them for years, and as an OCI layout.

Sources: the OCI image specification (image-layout.md, manifest.md, layer.md), and Docker's image specification v1.2.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

Member = tuple[str, bytes] | tarfile.TarInfo


class Again(str):
    """A key that stands in a document a second time: for a dictionary it is another one."""

    __eq__, __hash__ = object.__eq__, object.__hash__


def tar(members: list[Member], style: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of regular files (name, content) and of whatever else a header can say."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=style) as archive:
        for one in members:
            if isinstance(one, tarfile.TarInfo):
                archive.addfile(one)
                continue
            header = tarfile.TarInfo(one[0])
            header.size, header.mtime = len(one[1]), 1_796_000_000
            archive.addfile(header, io.BytesIO(one[1]))
    return raw.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A link, a device or a pipe."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def as_go_writes(document: Any) -> bytes:
    """JSON as Docker writes it: Go's encoder escapes three letters of HTML."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").encode()


class Saved:
    """`docker save` of one or more images. `layers` and `configs` are the names that they have got in the archive."""

    def __init__(self) -> None:
        self.members: list[Member] = [("VERSION", b"1.0")]
        self._manifest: list[dict[str, Any]] = []

    def image(
        self, title: str, layers: list[bytes], config: dict[str, Any], old: dict[str, Any] | None = None
    ) -> tuple[list[str], str]:
        """`old`: what the `json` beside its last layer says, as Docker still writes it for old versions of itself.

        Returns: the names of its layers and of its config.
        """
        names = []
        for place, layer in enumerate(layers, 1):
            folder = hashlib.sha256(layer + title.encode()).hexdigest()
            said = old or {} if place == len(layers) else {}
            self.members += [
                (f"{folder}/VERSION", b"1.0"),
                (f"{folder}/json", as_go_writes({"id": folder, **said})),
            ]
            self.members.append((f"{folder}/layer.tar", layer))
            names.append(f"{folder}/layer.tar")
        raw = as_go_writes(config)
        name = f"{hashlib.sha256(raw).hexdigest()}.json"
        self.members.append((name, raw))
        self._manifest.append({"Config": name, "RepoTags": [title], "Layers": names})
        return names, name

    def archive(self) -> bytes:
        return tar([*self.members, ("manifest.json", as_go_writes(self._manifest))])


class Layout:
    """An OCI layout, with an index in its index as a build for two platforms leaves it."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self._manifests: list[dict[str, Any]] = []

    def blob(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """Returns: its name in the archive, and its descriptor without a media type."""
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[f"blobs/sha256/{digest}"] = data
        return f"blobs/sha256/{digest}", {"digest": f"sha256:{digest}", "size": len(data)}

    def image(
        self,
        layers: list[bytes],
        config: dict[str, Any],
        annotations: dict[str, str],
        kind: str = "tar+gzip",
    ) -> tuple[list[str], str, str]:
        """Returns: the names of its layers, of its config and of its manifest."""
        stored = [self.blob(layer) for layer in layers]
        config_name, config_there = self.blob(as_go_writes(config))
        of = "application/vnd.oci.image."
        manifest = {
            "schemaVersion": 2, "mediaType": f"{of}manifest.v1+json",
            "config": {"mediaType": f"{of}config.v1+json", **config_there},
            "layers": [{"mediaType": f"{of}layer.v1.{kind}", **there} for _, there in stored],
            "annotations": annotations,
        }  # fmt: skip
        name, there = self.blob(as_go_writes(manifest))
        self._manifests.append({"mediaType": f"{of}manifest.v1+json", **there})
        return [one for one, _ in stored], config_name, name

    def archive(self) -> bytes:
        kind = "application/vnd.oci.image.index.v1+json"
        inner = {"schemaVersion": 2, "mediaType": kind, "manifests": self._manifests}
        _, there = self.blob(as_go_writes(inner))
        outer = {"schemaVersion": 2, "mediaType": kind, "manifests": [{"mediaType": kind, **there}]}
        layout: list[Member] = [
            ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
            ("index.json", as_go_writes(outer)),
        ]
        return tar([*layout, *self.blobs.items()])
