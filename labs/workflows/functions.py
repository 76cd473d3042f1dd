"""The functions that expressions can always call. `success()` and its kin, and `hashFiles`, come with a job.

Source: https://docs.github.com/actions/reference/workflows-and-actions/expressions#functions
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labs.workflows import patterns, values
from labs.workflows.errors import BadExpression
from labs.workflows.expressions import Function


def contains(search: Any, item: Any) -> bool:
    if isinstance(search, list):
        return any(values.equal(one, item) for one in search)
    return values.text(item).lower() in values.text(search).lower()


def starts_with(text: Any, start: Any) -> bool:
    return values.text(text).lower().startswith(values.text(start).lower())


def ends_with(text: Any, end: Any) -> bool:
    return values.text(text).lower().endswith(values.text(end).lower())


def format_text(template: Any, *arguments: Any) -> str:
    """`{0}` is the first argument; `{{` and `}}` are braces."""

    def one(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None or int(match[1]) >= len(arguments):
            raise BadExpression(f"format: `{match[0]}` has no argument")
        return values.text(arguments[int(match[1])])

    whole = values.text(template)
    values.bounded(
        "".join(values.text(argument) * whole.count(f"{{{i}}}") for i, argument in enumerate(arguments))
    )
    return re.sub(r"\{\{|\}\}|\{(\d{1,3})\}|\{|\}", one, whole)


def join(items: Any, separator: Any = ",") -> str:
    if isinstance(items, list):
        return values.bounded(values.text(separator).join(values.text(item) for item in items))
    return values.text(items)


def from_json(text: Any) -> Any:
    try:
        return json.loads(values.text(text))
    except (ValueError, RecursionError):
        raise BadExpression("fromJSON: this is no JSON") from None


ALWAYS_THERE: Mapping[str, Function] = {
    "contains": contains,
    "startsWith": starts_with,
    "endsWith": ends_with,
    "format": format_text,
    "join": join,
    "toJSON": values.to_json,
    "fromJSON": from_json,
}


def hash_files(names: Sequence[str], read: Callable[[str], bytes | None], *globs: Any) -> str:
    """SHA-256 over the SHA-256 of each file that the patterns name, in the order of their names; "" for none.

    Args:
        names: all files of the workspace, relative to it.
        read: gives the bytes of one of them.
    """
    wanted = [line.strip() for glob in globs for line in values.text(glob).splitlines() if line.strip()]
    digest = hashlib.sha256()
    chosen = [name for name in sorted(names) if patterns.chosen(name, wanted)]
    for name in chosen:
        digest.update(hashlib.sha256(read(name) or b"").digest())
    return digest.hexdigest() if chosen else ""
