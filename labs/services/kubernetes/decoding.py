"""Bodies into objects: JSON, YAML or protobuf, and what happens to fields that a kind does not have.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from labs.services.kubernetes import protobuf, schemas
from labs.services.kubernetes.context import Context
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import ApiError, bad_request

PROTOBUF = "application/vnd.kubernetes.protobuf"


class _Duplicate(Exception):
    pass


class _StrictLoader(yaml.CSafeLoader):
    """Refuses a key that stands twice in a map, as the real server does."""


def _map_without_duplicates(loader: _StrictLoader, node: yaml.MappingNode) -> Obj:
    loader.flatten_mapping(node)
    keys = [str(loader.construct_object(key, deep=True)) for key, _ in node.value]
    if twice := next((key for at, key in enumerate(keys) if key in keys[:at]), None):
        raise _Duplicate(f'key "{twice}" already set in map')
    return dict(
        zip(keys, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True)
    )


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _map_without_duplicates)
_StrictLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(node.value))


def body(data: bytes, content_type: str, ctx: Context | None = None) -> Any:
    """The body of a request as plain data.

    Raises:
        ApiError: 400, it cannot be read; 415, a media type that the server does not read.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == PROTOBUF:
            return protobuf.decode(data)
        if kind in ("application/yaml", "application/apply-patch+yaml"):
            return _sound(yaml.load(data, _StrictLoader), data)  # derived from the safe loader
        if kind in ("", "application/json") or kind.endswith("+json"):
            twice: list[str] = []

            def pairs(found: list[tuple[str, Any]]) -> Obj:
                thing = dict(found)
                if len(thing) != len(found):
                    names = [name for name, _ in found]
                    twice.extend(name for at, name in enumerate(names) if name in names[:at])
                return thing

            read = json.loads(data, object_pairs_hook=pairs)
            if twice and ctx is not None:
                _complain([f'duplicate field "{name}"' for name in twice], ctx)
            return _sound(read, data)
    except protobuf.Unreadable as error:
        raise ApiError(415, "UnsupportedMediaType", str(error)) from None
    except (ValueError, yaml.YAMLError, _Duplicate, RecursionError) as error:
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {error}") from None
    raise ApiError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format ({kind}) - accepted media types include: "
        f"application/json, application/yaml, {PROTOBUF}",
    )


def _sound(read: Any, data: bytes) -> Any:
    """Raises: UnicodeEncodeError (a ValueError), half of a surrogate pair: no text that could be kept."""
    if b"\\u" in data:
        json.dumps(read, ensure_ascii=False, default=str).encode()
    return read


def _complain(faults: list[str], ctx: Context) -> None:
    if ctx.validation == "Strict":
        raise bad_request("strict decoding error: " + ", ".join(faults))
    if ctx.validation == "Warn":
        for fault in faults:
            ctx.warn(fault)


def typed(resource: Resource, thing: Any, ctx: Context) -> Obj:
    """An object of a kind, without fields that the kind does not have.

    Raises:
        ApiError: 400, of another kind, a value of a wrong type, or unknown fields under strict validation.
    """
    if not isinstance(thing, dict):
        raise bad_request("the body of the request is not an object")
    version, kind = thing.get("apiVersion"), thing.get("kind")
    if kind and kind != resource.kind:
        raise bad_request(f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})")
    if version and version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    shape = schemas.shape(resource.definition)
    about = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    try:
        unknown = list(schemas.unknown_fields(thing, shape))
    except schemas.WrongType as error:
        raise bad_request(f"{about}: {error}") from None
    if unknown:
        faults = [f'unknown field "{path}"' for path in unknown]
        if ctx.validation == "Strict":
            raise bad_request(f"{about}: strict decoding error: {', '.join(faults)}")
        if ctx.validation == "Warn":
            for fault in faults:
                ctx.warn(fault)
    clean: Obj = schemas.prune_unknown(thing, shape)
    return {**clean, "apiVersion": resource.api_version, "kind": resource.kind}
