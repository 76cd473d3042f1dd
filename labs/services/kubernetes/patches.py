"""JSON patch, merge patch and strategic merge patch, as pure functions.

Source: RFC 6902, RFC 7386 and
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

from typing import Any

from labs.services.kubernetes.objects import Obj, copy
from labs.services.kubernetes.schemas import ANY, Shape
from labs.services.kubernetes.statuses import ApiError, bad_request

PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
"""The media types of patches; the last one is server-side apply."""
_ORDER, _PRIMITIVE = "$setElementOrder/", "$deleteFromPrimitiveList/"
_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"


def json_patch(thing: Obj, operations: Any) -> Obj:
    """Raises: ApiError 400 (not a patch) or 422 (it cannot be applied)."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise bad_request("a JSON patch is a list of operations")
    document: Any = copy(thing)
    for one in operations:
        try:
            document = _operation(document, one)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise ApiError(
                422,
                "Invalid",
                f"the server rejected our request due to an error in our request: "
                f"{one.get('op')} operation at {one.get('path')!r} does not apply: {error}",
            ) from None
    if not isinstance(document, dict):
        raise bad_request("the patch leaves no object")
    return document


def _operation(document: Any, one: Obj) -> Any:
    op, path = one["op"], _pointer(one["path"])
    match op:
        case "add":
            return _set(document, path, one["value"], insert=True)
        case "replace":
            _get(document, path)
            return _set(document, path, one["value"], insert=False)
        case "remove":
            return _delete(document, path)
        case "move":
            source = _pointer(one["from"])
            value = _get(document, source)
            return _set(_delete(document, source), path, value, insert=True)
        case "copy":
            return _set(document, path, _get(document, _pointer(one["from"])), insert=True)
        case "test":
            if _get(document, path) != one["value"]:
                raise ValueError("testing value failed")
            return document
    raise ValueError(f"unknown operation {op!r}")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError("a path starts with /")
    return [piece.replace("~1", "/").replace("~0", "~") for piece in text.split("/")[1:]]


def _get(document: Any, path: list[str]) -> Any:
    for piece in path:
        document = document[_index(document, piece)] if isinstance(document, list) else document[piece]
    return document


def _index(items: list[Any], piece: str) -> int:
    if not piece.isdigit() or int(piece) >= len(items):
        raise IndexError(f"no item {piece}")
    return int(piece)


def _set(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        if not insert:
            parent[_index(parent, last)] = value
        elif last == "-" or last == str(len(parent)):
            parent.append(value)
        else:
            parent.insert(_index(parent, last), value)
    else:
        parent[last] = value
    return document


def _delete(document: Any, path: list[str]) -> Any:
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(parent, last)]
    else:
        del parent[last]
    return document


def merge_patch(thing: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge(thing: Any, patch: Obj, shape: Shape) -> Any:
    """Merge a patch into an object, lists by their merge keys.

    Raises:
        ApiError: 400, the patch lacks a merge key or has an unknown directive.
    """
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return _plain({key: value for key, value in patch.items() if key != _DIRECTIVE}, shape)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unrecognized $patch directive {directive!r}")
    merged = dict(thing) if isinstance(thing, dict) else {}
    if _RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith(_PRIMITIVE):
            field = key.removeprefix(_PRIMITIVE)
            merged[field] = [one for one in merged.get(field) or [] if one not in value]
    for key, value in patch.items():
        if key in (_DIRECTIVE, _RETAIN) or key.startswith((_PRIMITIVE, _ORDER)):
            continue
        below = shape.child(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = strategic_merge(merged.get(key), value, below)
        elif isinstance(value, list):
            merged[key] = _merge_lists(merged.get(key) or [], value, below, patch.get(_ORDER + key))
        else:
            merged[key] = value
    for key, order in patch.items():
        field = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and field not in patch and isinstance(merged.get(field), list):
            merged[field] = _ordered(merged[field], [], order, shape.child(field).merge_key)
    return merged


def _merge_lists(old: list[Any], new: list[Any], shape: Shape, order: list[Any] | None) -> list[Any]:
    if "merge" not in shape.strategies:
        return [_plain(one, shape.values) for one in new]
    key = shape.merge_key
    if not key:  # a list of primitives, as a set
        merged = [*old, *(one for one in new if one not in old)]
        return _ordered(merged, new, order, "")
    if any(isinstance(one, dict) and one.get(_DIRECTIVE) == "replace" for one in new):
        return [_plain(one, shape.values) for one in new if one.get(_DIRECTIVE) != "replace"]
    merged = list(old)
    for one in new:
        if not isinstance(one, dict) or key not in one:
            raise bad_request(f"map: {one} does not contain declared merge key: {key}")
        at = next((i for i, item in enumerate(merged) if item.get(key) == one[key]), None)
        if one.get(_DIRECTIVE) == "delete":
            merged = [item for item in merged if item.get(key) != one[key]]
        elif at is None:
            merged.append(_plain({k: v for k, v in one.items() if k != _DIRECTIVE}, shape.values))
        else:
            merged[at] = strategic_merge(merged[at], one, shape.values)
    return _ordered(merged, new, order, key)


def _ordered(items: list[Any], patched: list[Any], order: list[Any] | None, key: str) -> list[Any]:
    """Items in the wanted order; those that only the server knows stay behind their old neighbours."""
    if order is None:
        return items

    def ident(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [ident(one) for one in order]
    named = sorted((one for one in items if ident(one) in wanted), key=lambda one: wanted.index(ident(one)))
    ours, result = iter(named), list[Any]()
    for item in items:
        if ident(item) not in wanted:
            result.append(item)
        else:
            result.append(next(ours))
    return result


def _plain(value: Any, shape: Shape = ANY) -> Any:
    """A part of a patch as it stands alone: without directives and nulls."""
    if isinstance(value, dict):
        return {
            key: _plain(below, shape.child(key))
            for key, below in value.items()
            if below is not None
            and key not in (_DIRECTIVE, _RETAIN)
            and not key.startswith((_PRIMITIVE, _ORDER))
        }
    if isinstance(value, list):
        return [
            _plain(one, shape.values if shape.type == "list" else ANY)
            for one in value
            if not (isinstance(one, dict) and one.get(_DIRECTIVE) == "delete")
        ]
    return value
