"""Every layer and every document of an image's archive."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forms import Find, Secrets, Unread


def strings(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """(field, text) of all texts in a JSON document, keys among them; an object is a tuple of its pairs."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from strings(one, f"{field}[{place}]")
    elif isinstance(value, tuple):
        for key, one in value:
            below = f"{field}.{key}" if field else key
            yield below, key
            yield from strings(one, below)


def look_in_image(path: Path, secrets: Secrets) -> Iterator[Find]:
    """Unpack the archive, and then each of its layers beside it."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder, "image")
        with tarfile.open(path) as archive:
            archive.extractall(there, filter="tar")
        unread = []
        for file in sorted(one for one in there.rglob("*") if one.is_file() and one.name != "VERSION"):
            name = file.relative_to(there).as_posix()
            with file.open("rb") as opened:
                first = opened.read(1)
            if first in (b"{", b"["):
                for field, text in strings(json.loads(file.read_bytes(), object_pairs_hook=tuple)):
                    found = secrets.within(text.encode(errors="replace"))
                    yield from (Find(f"config {name} {field}", number) for number in found)
                continue
            try:
                with tarfile.open(file) as layer:
                    headers = layer.getmembers()
                    layer.extractall(Path(folder, "layer"), filter="tar")
            except (OSError, EOFError, tarfile.TarError) as error:
                unread.append(f"{name}: {error}")
                continue
            for header in headers:
                here = f"layer {name} {header.name}"
                names = f"{header.name}\n{header.linkname}".encode(errors="replace")
                yield from (Find(f"{here} name", number) for number in secrets.within(names))
                if header.isreg():
                    with Path(folder, "layer", header.name).open("rb") as content:
                        yield from (Find(f"{here} line {line}", number) for line, number in secrets.lines(content))
        if unread:
            raise Unread("; ".join(unread))
