"""What rendered objects mean: their pods, what a process finds in its environment, who selects whom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Obj = dict[str, Any]
HOOK = "helm.sh/hook"
RELEASE_HOOKS = ("pre-install", "pre-upgrade")
REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
"""What a kubelet reads in the `value` of a variable: `$$`, and `$(NAME)`."""


def meta(thing: Obj) -> Obj:
    found = thing.get("metadata")
    return found if isinstance(found, dict) else {}


def name_of(thing: Obj) -> str:
    return str(meta(thing).get("name"))


def of_kind(things: list[Obj], kind: str) -> list[Obj]:
    return [one for one in things if one.get("kind") == kind]


def hooks_of(thing: Obj) -> set[str]:
    """The hooks that an object is for: `pre-upgrade`, say; empty for an object of the release itself."""
    text = (meta(thing).get("annotations") or {}).get(HOOK, "")
    return {one.strip() for one in str(text).split(",") if one.strip()}


def own(things: list[Obj]) -> list[Obj]:
    """The objects of the release itself: no hooks, so no tests of the chart either."""
    return [one for one in things if not hooks_of(one)]


def deployment(things: list[Obj]) -> Obj:
    return of_kind(things, "Deployment")[0]


def template(thing: Obj) -> Obj:
    """The pod template of a Deployment or a Job."""
    return thing["spec"]["template"]


def labels(thing: Obj) -> Mapping[str, Any]:
    return meta(thing).get("labels") or {}


def config_maps(things: list[Obj]) -> dict[str, dict[str, Any]]:
    return {name_of(one): one.get("data") or {} for one in of_kind(things, "ConfigMap")}


def environment(spec: Obj, maps: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The variables of a pod's first container, as a kubelet puts them together; `secret NAME/KEY` for one of a Secret.

    In a `value`, `$(NAME)` is that of a variable before it, and `$$` is one `$`. What comes from a ConfigMap stays.
    Source: Kubernetes, "Define Environment Variables for a Container", "Define Dependent Environment Variables",
    "Configure a Pod to Use a ConfigMap".
    """
    found: dict[str, Any] = {}
    container = spec["containers"][0]
    for source in container.get("envFrom") or []:
        data = maps.get((source.get("configMapRef") or {}).get("name"), {})
        found.update({f"{source.get('prefix', '')}{key}": value for key, value in data.items()})
    for one in container.get("env") or []:
        origin = one.get("valueFrom") or {}
        value: Any = expanded(one.get("value", ""), found)
        if "configMapKeyRef" in origin:
            meant = origin["configMapKeyRef"]
            value = maps.get(meant.get("name"), {}).get(meant.get("key"))
        elif "secretKeyRef" in origin:
            meant = origin["secretKeyRef"]
            value = f"secret {meant.get('name')}/{meant.get('key')}"
        elif origin:
            value = origin
        found[one["name"]] = value
    return found


def expanded(text: Any, known: Mapping[str, Any]) -> Any:
    """The `value` of a variable as a kubelet passes it on: a reference to what nobody knows stays as it is.

    Source: Kubernetes, API reference, EnvVar, `value`.
    """
    if not isinstance(text, str):
        return text

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return str(known[found[1]]) if found[1] in known else found[0]

    return REFERENCE.sub(one, text)


def selects(selector: Mapping[str, Any] | None, pod_labels: Mapping[str, Any]) -> bool:
    """Whether a plain map of labels, or a selector with matchLabels and matchExpressions, selects a pod.

    Source: Kubernetes, "Labels and Selectors".
    """
    if not selector:
        return False
    plain = "matchLabels" not in selector and "matchExpressions" not in selector
    if any(
        pod_labels.get(key) != value
        for key, value in (selector if plain else selector.get("matchLabels") or {}).items()
    ):
        return False
    for one in [] if plain else selector.get("matchExpressions") or []:
        there, value = one["key"] in pod_labels, pod_labels.get(one["key"])
        holds = {
            "In": there and value in (one.get("values") or []),
            "NotIn": not there or value not in (one.get("values") or []),
            "Exists": there,
            "DoesNotExist": not there,
        }
        if not holds.get(one["operator"], False):
            return False
    return True


def nulls(value: Any, path: str = "") -> Iterator[str]:
    """The paths at which a field is null."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from nulls(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from nulls(one, f"{path}[{index}]")


def difference(one: Any, other: Any, path: str = "") -> str | None:
    """The first path at which two values differ; None if they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}, key=str):
            below = f"{path}.{key}" if path else str(key)
            if key not in one or key not in other:
                return f"{below} (only in one of them)"
            if found := difference(one[key], other[key], below):
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(
            (found for index, pair in pairs if (found := difference(*pair, f"{path}[{index}]"))), None
        )
    return None if type(one) is type(other) and one == other else path
