"""Label selectors and field selectors.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ and …/field-selectors/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import bad_request

Test = Callable[[Mapping[str, str]], bool]


def matches(selector: Obj | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector (matchLabels, matchExpressions): an empty one matches everything, none matches nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _holds(expression: Obj, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    values = expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as way:  # of node selectors
            try:
                left, right = int(value or ""), int(values[0])
            except (ValueError, IndexError):
                return False
            return left > right if way == "Gt" else left < right
    return False


def matches_map(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """A Service's selector: none or an empty one selects nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


_SET = re.compile(r"([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)")


def parse_labels(text: str) -> list[Obj]:
    """`a=b,c!=d,e in (f,g),!h` as expressions of a LabelSelector.

    Raises:
        ApiError: 400, not a selector.
    """
    found: list[Obj] = []
    rest = text.strip()
    while rest:
        if match := _SET.match(rest):
            operator = "In" if match[2] == "in" else "NotIn"
            found.append(
                {"key": match[1], "operator": operator, "values": [v.strip() for v in match[3].split(",")]}
            )
            rest = rest[match.end() :].lstrip()
        else:
            piece, comma, after = rest.partition(",")
            found.append(_requirement(piece.strip(), text))
            rest = comma + after
        if rest and not rest.startswith(","):
            raise bad_request(
                f"unable to parse requirement: found '{rest}', expected: ',' or 'end of string'"
            )
        rest = rest[1:].lstrip()
    return found


def _requirement(piece: str, text: str) -> Obj:
    for sign, operator in (("!=", "NotIn"), ("==", "In"), ("=", "In")):
        key, found, value = piece.partition(sign)
        if found:
            if not key.strip():
                break
            return {"key": key.strip(), "operator": operator, "values": [value.strip()]}
    key = piece.lstrip("!").strip()
    if not re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?", key):
        raise bad_request(f"unable to parse requirement: {text!r} is not a label selector")
    return {"key": key, "operator": "DoesNotExist" if piece.startswith("!") else "Exists"}


def label_test(text: str) -> Test:
    expressions = parse_labels(text)
    return lambda labels: all(_holds(one, labels) for one in expressions)


_FIELDS = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "jobs": ("status.successful",),
    "replicasets": ("status.replicas",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


def field_test(resource: Resource, text: str) -> Callable[[Obj], bool]:
    """`status.phase=Running,metadata.name!=x` as a test of an object.

    Raises:
        ApiError: 400, a field that this kind cannot be selected by.
    """
    wanted: list[tuple[tuple[str, ...], bool, str]] = []
    known = ("metadata.name", "metadata.namespace", *_FIELDS.get(resource.plural, ()))
    for piece in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", piece)
        if not match:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{piece}'")
        if match[1] not in known:
            raise bad_request(f"field label not supported: {match[1]}")
        path = ("source", "component") if match[1] == "source" else tuple(match[1].split("."))
        wanted.append((path, match[2] != "!=", match[3]))
    return lambda thing: all((_text(thing, path) == value) is same for path, same, value in wanted)


def _text(thing: Any, path: tuple[str, ...]) -> str:
    for piece in path:
        thing = thing.get(piece) if isinstance(thing, dict) else None
    if path == ("spec", "unschedulable"):
        return "true" if thing else "false"
    return "" if thing is None else str(thing)
