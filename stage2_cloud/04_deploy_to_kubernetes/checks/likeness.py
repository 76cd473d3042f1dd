"""Where two environments differ, besides what the contract lets differ."""

from __future__ import annotations

import copy
from typing import Any

from fraud import Environment
from kustomize_places import Obj, containers, references

_LABELS = {"labels", "matchLabels", "selector", "annotations"}


def reduced(things: list[Obj], env: Environment) -> dict[str, Any]:
    """The objects of an overlay by kind and name, without what may differ."""
    things = copy.deepcopy(things)
    settings = {one["metadata"]["name"]: one for one in things if one["kind"] == "ConfigMap"}
    plain = {name: name.rpartition("-")[0] if name.rpartition("-")[0] else name for name in settings}
    for thing in things:
        for kind, holder, key in references(thing):
            if kind == "ConfigMap":
                holder[key] = plain.get(holder.get(key), holder.get(key))
        for one in containers(thing):
            one.pop("image", None)
            for group in ("requests", "limits"):
                ((one.get("resources") or {}).get(group) or {}).pop("cpu", None)
        if thing["kind"] == "Deployment":
            thing["spec"].pop("replicas", None)  # another check says whose field that is
        if thing["kind"] == "HorizontalPodAutoscaler":
            thing["spec"] = {
                key: value
                for key, value in thing["spec"].items()
                if key not in ("minReplicas", "maxReplicas")
            }
        if thing["kind"] == "ConfigMap":
            thing["data"] = {
                key: value for key, value in (thing.get("data") or {}).items() if key not in env.settings
            }
    return {
        f"{one['kind']} {_name(one, env, plain)}": _without_labels({**one, "metadata": {}})
        for one in things
    }  # fmt: skip


def _name(thing: Obj, env: Environment, plain: dict[str, str]) -> str:
    name = thing["metadata"]["name"]
    if thing["kind"] == "ConfigMap":
        return plain[name]
    return "of the overlay" if name == env.space else name


def _without_labels(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_labels(one) for key, one in value.items() if key not in _LABELS}
    if isinstance(value, list):
        return [_without_labels(one) for one in value]
    return value


def difference(one: Any, other: Any, path: str = "") -> str | None:
    """The first path at which two values differ; None if they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            below = f"{path}.{key}" if path else key
            if key not in one or key not in other:
                return f"{below} (only in one of them)"
            found = difference(one[key], other[key], below)
            if found:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            found = difference(*pair, f"{path}[{index}]")
            if found:
                return found
        return None
    return None if one == other else path
