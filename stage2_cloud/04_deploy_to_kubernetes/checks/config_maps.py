"""What a configMapGenerator puts into a ConfigMap, and the hash in its name.

Source: kustomize, api/hasher/hasher.go and api/internal/generators
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable
from typing import Any

Obj = dict[str, Any]
_LETTERS = str.maketrans({"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"})
_GO = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def content(entry: Obj, read: Callable[[str], str]) -> dict[str, str]:
    """Keys and values of a generator.

    Args:
        read: gives the text of a file.

    Raises: ValueError, it says what is wrong.
    """
    found: dict[str, str] = {}

    def add(key: str, value: str) -> None:
        if key in found:
            raise ValueError(f"the key {key} is there twice")
        found[key] = value

    for kind in ("envs", "files", "literals"):
        entries = entry.get(kind) or []
        if not isinstance(entries, list) or not all(isinstance(one, str) for one in entries):
            raise ValueError(f"`{kind}` is no list of texts")
        for one in entries:
            if kind == "envs":
                for key, value in _lines(read(one)):
                    add(key, value)
            elif kind == "files":
                key, equals, path = one.partition("=")
                add(key if equals else posixpath.basename(one), read(path if equals else one))
            else:
                key, equals, value = one.partition("=")
                if not equals or not key:
                    raise ValueError(f"the literal `{one}` is no key=value")
                quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
                add(key, value[1:-1] if quoted else value)
    return found


def _lines(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not key:
            raise ValueError(f"the line `{line}` is no KEY=value")
        found.append((key, value))
    return found


def hashed_name(thing: Obj) -> str:
    """The name of a ConfigMap with the hash of what is in it."""
    name = thing["metadata"]["name"]
    body = {
        "data": thing.get("data") or "",
        "kind": "ConfigMap",
        "name": "",
    }  # so does kustomize, without the name
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).translate(_GO)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10].translate(_LETTERS)}"
