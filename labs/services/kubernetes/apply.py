"""Server-side apply: who owns which field, what a new configuration changes, and where it conflicts. Pure functions.

Fields are paths of pieces as in `managedFields`: f:name, k:{"name":"app"} and v:"value".

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/ and the library structured-merge-diff
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labs.services.kubernetes import objects
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.schemas import Shape
from labs.services.kubernetes.statuses import ApiError

Path = tuple[str, ...]
Fields = frozenset[Path]

_ITEM = object()
"""The value of a list item's own path: that it is there."""
_NOTHING = object()

_SYSTEM = (
    *(("f:apiVersion",), ("f:kind",)),
    *(
        ("f:metadata", f"f:{field}")
        for field in (
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generateName",
            "selfLink",
        )
    ),
)


@dataclass(frozen=True)
class Manager:
    """Attributes: `operation` is Apply or Update; `subresource` is "" for the object itself."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


Owners = Mapping[Manager, Fields]


def leaves(value: Any, shape: Shape, path: Path = ()) -> dict[Path, Any]:
    """Every field that can be owned by itself, with its value."""
    found: dict[Path, Any] = {}
    _collect(value, shape, path, found)
    found.pop(("f:metadata",), None)
    return {key: one for key, one in found.items() if not any(key[: len(s)] == s for s in _SYSTEM)}


def _collect(value: Any, shape: Shape, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not shape.atomic:
        for key, below in value.items():
            _collect(below, shape.child(key), (*path, f"f:{key}"), found)
    elif isinstance(value, list) and value and not shape.atomic:
        for item in value:
            place = (*path, piece_of(item, shape))
            found[place] = _ITEM
            if isinstance(item, dict):
                _collect(item, shape.values, place, found)
    elif path:
        found[path] = value


def piece_of(item: Any, shape: Shape) -> str:
    """How a list item is named: by its keys, or as a value of a set."""
    if shape.list_type == "map" and isinstance(item, dict):
        keys = {key: item.get(key, "TCP" if key == "protocol" else None) for key in shape.map_keys}
        return "k:" + json.dumps(
            {k: v for k, v in sorted(keys.items()) if v is not None}, separators=(",", ":")
        )
    return "v:" + json.dumps(item, separators=(",", ":"))


def merged(live: Any, applied: Any, shape: Shape) -> Any:
    """The live value with all that a configuration states."""
    if isinstance(applied, dict) and isinstance(live, dict) and not shape.atomic:
        return {**live, **{key: merged(live.get(key), one, shape.child(key)) for key, one in applied.items()}}
    if isinstance(applied, list) and isinstance(live, list) and not shape.atomic:
        old = {piece_of(item, shape): item for item in live}
        new = {piece_of(item, shape): item for item in applied}
        for piece, item in new.items():
            new[piece] = merged(old.get(piece), item, shape.values)
        ordered = iter(new.values())
        kept = [next(ordered) if piece in new else item for piece, item in old.items()]
        return [*kept, *ordered]
    return applied


def without(value: Any, gone: Fields, shape: Shape, path: Path = ()) -> Any:
    """The value without some fields; what becomes empty by this goes as well. None if nothing is left."""
    if not any(one[: len(path)] == path for one in gone):
        return value
    if isinstance(value, dict) and not shape.atomic:
        left = {}
        for key, below in value.items():
            place = (*path, f"f:{key}")
            kept = None if place in gone else without(below, gone, shape.child(key), place)
            if kept is not None:
                left[key] = kept
        return left if left or not value else None
    if isinstance(value, list) and not shape.atomic:
        items = []
        for item in value:
            place = (*path, piece_of(item, shape))
            kept = None if place in gone else without(item, gone, shape.values, place)
            if kept is not None:
                items.append(kept)
        return items if items or not value else None
    return value


def must_be_unique(configuration: Obj, shape: Shape) -> None:
    """
    Raises:
        ApiError: 500, as the API server says it: two items of a list have the same key, so nobody can own one of them.
    """
    for path in _twice(configuration, shape, ()):
        *parents, last = path
        meta = objects.meta(configuration)
        names = f"{meta.get('namespace', '')}/{meta.get('name', '')}".removeprefix("/")
        kind = f"{configuration.get('apiVersion')}, Kind={configuration.get('kind')}"
        why = f"{_shown(tuple(parents))}: duplicate entries for key {_shown((last,))}"
        raise ApiError(500, "", f"failed to create typed patch object ({names}; {kind}): {why}")


def _twice(value: Any, shape: Shape, path: Path) -> Iterable[Path]:
    """The paths of list items that come a second time."""
    if shape.atomic:
        return
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _twice(below, shape.child(key), (*path, f"f:{key}"))
    elif isinstance(value, list):
        seen: set[Path] = set()
        for item in value:
            place = (*path, piece_of(item, shape))
            if place in seen:
                yield place
            seen.add(place)
            yield from _twice(item, shape.values, place)


def apply(
    live: Obj, owners: Owners, configuration: Obj, manager: Manager, shape: Shape, *, force: bool
) -> tuple[Obj, dict[Manager, Fields]]:
    """The new object and the new owners.

    Raises:
        ApiError: 409, fields that others own would change and `force` is not set; 500, an item of a list comes twice.
    """
    must_be_unique(configuration, shape)
    wanted = leaves(configuration, shape)
    own = frozenset(wanted)
    result: Obj = merged(live, configuration, shape)
    before, after = leaves(live, shape), leaves(result, shape)
    changed = {path for path in own if before.get(path, _NOTHING) != after.get(path, _NOTHING)}
    others = {one: fields for one, fields in owners.items() if one != manager}
    clashes = {one: sorted(fields & changed) for one, fields in others.items() if fields & changed}
    if clashes and not force:
        raise _conflict(clashes)
    others = {one: fields - changed for one, fields in others.items()}
    kept = frozenset().union(*others.values()) | own
    gone = owners.get(manager, frozenset()) - kept
    gone = frozenset(path for path in gone if not any(one[: len(path)] == path for one in kept))
    if gone:
        result = without(result, gone, shape)
    return result, {one: fields for one, fields in {**others, manager: own}.items() if fields}


def update(before: Obj, after: Obj, owners: Owners, manager: Manager, shape: Shape) -> dict[Manager, Fields]:
    """The owners after a write that was not an apply: who changes a field takes it."""
    old, new = leaves(before, shape), leaves(after, shape)
    changed = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
    gone = frozenset(old) - frozenset(new)
    found = {one: fields - changed - gone for one, fields in owners.items()}
    if changed:
        found[manager] = found.get(manager, frozenset()) | changed
    return {one: fields for one, fields in found.items() if fields}


def _conflict(clashes: Mapping[Manager, Iterable[Path]]) -> ApiError:
    causes, lines = [], []
    for manager, paths in clashes.items():
        about = f'conflict with "{manager.name}"'
        if manager.subresource:
            about += f' with subresource "{manager.subresource}"'
        if manager.operation == "Update":
            about += f" using {manager.api_version}"
        shown = [_shown(path) for path in paths]
        causes += [{"reason": "FieldManagerConflict", "message": about, "field": one} for one in shown]
        lines.append(f"{about}: {shown[0]}" if len(shown) == 1 else f"{about}:\n- " + "\n- ".join(shown))
    count = f"{len(causes)} conflict" + ("s" if len(causes) > 1 else "")
    text = (
        f"Apply failed with {count}: {lines[0]}"
        if len(lines) == 1
        else (f"Apply failed with {count}: " + "\n".join(lines))
    )
    return ApiError(409, "Conflict", text, {"causes": causes})


def _shown(path: Path) -> str:
    """.spec.containers[name="app"].image"""
    text = ""
    for piece in path:
        kind, _, rest = piece.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(rest).items()) + "]"
        else:
            text += f"[={rest}]"
    return text


def read(thing: Obj) -> dict[Manager, Fields]:
    """`metadata.managedFields` as owners."""
    found: dict[Manager, Fields] = {}
    for entry in objects.meta(thing).get("managedFields") or []:
        manager = Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        found[manager] = frozenset(_unfold(entry.get("fieldsV1") or {}))
    return found


def write(owners: Owners, before: Obj | None, now: str) -> list[Obj]:
    """Owners as `metadata.managedFields`; the time of an entry moves when its fields change."""
    old = read(before) if before else {}
    times = {
        (one.get("manager"), one.get("operation"), one.get("subresource", "")): one.get("time")
        for one in (objects.meta(before).get("managedFields") or [] if before else [])
    }
    found = []
    for manager, fields in owners.items():
        same = old.get(manager) == fields
        time = times.get((manager.name, manager.operation, manager.subresource)) if same else now
        entry = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": time or now,
            "fieldsType": "FieldsV1",
            "fieldsV1": _fold(fields),
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        found.append(entry)
    return found


def _fold(fields: Fields) -> Obj:
    root: Obj = {}
    for path in sorted(fields):
        at = root
        for piece in path:
            at = at.setdefault(piece, {})
        if path[-1].startswith("k:"):
            at["."] = {}
    return root


def _unfold(tree: Obj, path: Path = ()) -> Iterable[Path]:
    for piece, below in tree.items():
        if piece == ".":
            yield path
        else:
            if not below:
                yield (*path, piece)
            yield from _unfold(below, (*path, piece))
