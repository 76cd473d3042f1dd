"""What every part agrees on: an object is plain JSON data; small readers for the fields that all objects have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

Obj = dict[str, Any]

DOCS = "docs/services.md"


def copy(thing: Obj) -> Obj:
    """A deep copy; what the store hands out is shared and must not be changed."""
    copied: Obj = orjson.loads(orjson.dumps(thing))
    return copied


def meta(thing: Obj) -> Obj:
    found: Obj = thing.get("metadata") or {}
    return found


def name(thing: Obj) -> str:
    return str(meta(thing).get("name") or "")


def namespace(thing: Obj) -> str:
    return str(meta(thing).get("namespace") or "")


def uid(thing: Obj) -> str:
    return str(meta(thing).get("uid") or "")


def labels(thing: Obj) -> dict[str, str]:
    return meta(thing).get("labels") or {}


def notes(thing: Obj) -> dict[str, str]:
    """Its annotations."""
    return meta(thing).get("annotations") or {}


def spec(thing: Obj) -> Obj:
    found: Obj = thing.get("spec") or {}
    return found


def status(thing: Obj) -> Obj:
    found: Obj = thing.get("status") or {}
    return found


def deleting(thing: Obj) -> bool:
    return bool(meta(thing).get("deletionTimestamp"))


def controller_of(thing: Obj) -> Obj | None:
    """The owner reference with `controller: true`, if any."""
    return next(
        (owner for owner in meta(thing).get("ownerReferences") or [] if owner.get("controller")), None
    )


def owner_reference(owner: Obj) -> Obj:
    """A controlling reference, as the controllers of Kubernetes write it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(thing: Obj, kind: str) -> Obj | None:
    return next((one for one in status(thing).get("conditions") or [] if one.get("type") == kind), None)


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in whole seconds, as `metadata.creationTimestamp` has it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str | None) -> float:
    """RFC 3339 as seconds since 1970; 0.0 for none."""
    if not text:
        return 0.0
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
