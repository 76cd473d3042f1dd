"""What a version consists of: `<name>/versions/<version>.json`. It comes from a bucket, so believe nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class File:
    """`sha256` in lower-case hex; `bytes` is the size."""

    sha256: str
    bytes: int

    @classmethod
    def of(cls, content: bytes) -> File:
        return cls(hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Manifest:
    """`files` by path: relative, with slashes, sorted."""

    version: str
    files: Mapping[str, File]

    @classmethod
    def of_folder(cls, folder: Path, version: str) -> Manifest:
        found = sorted(path for path in folder.glob("*") if path.is_file())
        return cls(version, {path.name: File.of(path.read_bytes()) for path in found})

    @classmethod
    def parse(cls, text: bytes) -> Manifest:
        """
        Raises:
            ValueError: it is no manifest, or a path in it leads out of the model's folder.
        """
        try:
            said: dict[str, Any] = json.loads(text)
            files = {str(path): File(**about) for path, about in said["files"].items()}
            version = said["version"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no manifest: {error!r}") from error
        for path, file in files.items():
            if not _stays_inside(path) or not SHA256.fullmatch(str(file.sha256)):
                raise ValueError(f"no file of a model: {path!r}")
        return cls(version, files)

    def dump(self) -> bytes:
        files = {path: asdict(file) for path, file in self.files.items()}
        return json.dumps({"version": self.version, "files": files}, indent=1).encode()


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path
