"""Functions of Terraform about lists, sets and maps.

Source: https://developer.hashicorp.com/terraform/language/functions, "Collection Functions".
"""

from __future__ import annotations

from typing import Any

from hcl_values import Wrong, items, known, to_number


def merge(*maps: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in maps:
        if each is not None:
            found |= as_map(each, "merge")
    return found


def as_map(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(f"{what}: a map is wanted")
    return value


def flatten(value: Any) -> list[Any]:
    return [
        one
        for each in items(value, "flatten")
        for one in (flatten(each) if isinstance(each, (list, tuple)) else [each])
    ]


def length(value: Any) -> int:
    if isinstance(value, (str, dict)):
        return len(known(value, "length") if isinstance(value, str) else value)
    return len(items(value, "length"))


def lookup(where: Any, key: Any, *default: Any) -> Any:
    found = as_map(where, "lookup")
    if known(key, "lookup") in found:
        return found[key]
    if default:
        return default[0]
    raise Wrong(f"lookup: there is no key {key!r}")


def element(where: Any, index: Any) -> Any:
    found = items(where, "element")
    if not found:
        raise Wrong("element: the list is empty")
    return found[int(to_number(index, "element")) % len(found)]


def index_of(where: Any, value: Any) -> int:
    found = items(known(where, "index"), "index")
    if known(value, "index") not in found:
        raise Wrong(f"index: {value!r} is not in the list")
    return found.index(value)


def contains(where: Any, value: Any) -> bool:
    return known(value, "contains") in items(known(where, "contains"), "contains")


def coalesce(*values: Any) -> Any:
    for value in values:
        if value is not None and value != "":
            return value
    raise Wrong("coalesce: all are null or empty")
