"""The shapes of all kinds, from the schemas of kubernetes-validate: for strict decoding, merge keys and OpenAPI.

The library's own `validate` reads all its schemas anew for each object and stops at the first fault; the server needs
every unknown field with its path, in a millisecond. A test holds that both agree.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import orjson

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import canonical

VERSION = "1.32.0"
_REF = "#/$defs/"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_ANYTHING = "io.k8s.apimachinery.pkg.runtime.RawExtension"
_FIELDS_V1 = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"


@cache
def definitions() -> Mapping[str, Obj]:
    """Every definition of Kubernetes' OpenAPI, by name."""
    path = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}-local" / "_definitions.json"
    found: dict[str, Obj] = orjson.loads(path.read_bytes())["$defs"]
    return found


class Shape:
    """One place in an object: its type, what is below, and how lists and maps there are merged.

    Attributes:
        type: object (named fields), map, list, string, integer, number, boolean, quantity, int-or-string, any.
        name: of the definition, "" if it has none.
    """

    def __init__(self, schema: Obj) -> None:
        self.own = schema
        reference = schema.get("$ref", "")
        self.name = reference.removeprefix(_REF)
        self.target: Obj = definitions()[self.name] if reference else schema
        self.type = self._type()

    def _type(self) -> str:
        if self.name == _QUANTITY:
            return "quantity"
        if self.name == _INT_OR_STRING:
            return "int-or-string"
        if self.name in (_ANYTHING, _FIELDS_V1):
            return "any"
        if "properties" in self.target:
            return "object"
        kind = self.target.get("type")
        if isinstance(kind, list):
            kind = next(one for one in kind if one != "null")
        if kind == "array":
            return "list"
        if kind == "object" or "additionalProperties" in self.target:
            return "map" if "additionalProperties" in self.target else "any"
        return kind or "any"

    @cached_property
    def fields(self) -> Mapping[str, Shape]:
        return {key: Shape(value) for key, value in self.target.get("properties", {}).items()}

    @cached_property
    def values(self) -> Shape:
        """What a map or list holds."""
        below = self.target.get("items") or self.target.get("additionalProperties")
        return Shape(below if isinstance(below, dict) else {})

    def child(self, key: str) -> Shape:
        if self.type == "object":
            return self.fields.get(key) or ANY
        return self.values if self.type == "map" else ANY

    @property
    def required(self) -> list[str]:
        return self.target.get("required") or []

    def _says(self, key: str) -> Any:
        return self.own.get(f"x-kubernetes-{key}", self.target.get(f"x-kubernetes-{key}"))

    @property
    def merge_key(self) -> str:
        """Of a strategic merge patch: the key of the items of this list, "" if it is replaced whole."""
        return self._says("patch-merge-key") or "" if "merge" in self.strategies else ""

    @property
    def strategies(self) -> list[str]:
        """merge, replace, retainKeys, as far as they are stated."""
        return (self._says("patch-strategy") or "").split(",")

    @property
    def list_type(self) -> str:
        """Of server-side apply: atomic, set or map."""
        return self._says("list-type") or "atomic"

    @property
    def map_keys(self) -> list[str]:
        return self._says("list-map-keys") or []

    @property
    def atomic(self) -> bool:
        """Server-side apply owns it whole."""
        if self.type == "list":
            return self.list_type == "atomic"
        return self._says("map-type") == "atomic" or self.type not in ("object", "map")


ANY = Shape({})


@cache
def shape(definition: str) -> Shape:
    return Shape({"$ref": _REF + definition})


class WrongType(Exception):
    """A value of a type that the server's decoder refuses."""

    def __init__(self, path: str, got: str, wanted: str) -> None:
        super().__init__(f"json: cannot unmarshal {got} into Go struct field {path} of type {wanted}")


_PYTHON: dict[str, tuple[Any, ...]] = {
    "object": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "quantity": (str, int, float),
    "int-or-string": (str, int),
}
_NUMBERS = ("integer", "int-or-string")
_GO = {"integer": "int32", "boolean": "bool", "map": "map[string]", "list": "[]", "number": "float64"}


def unknown_fields(value: Any, at: Shape, path: str = "") -> Iterator[str]:
    """Paths of all fields that the kind does not have.

    Raises:
        WrongType: a value that does not fit its field.
    """
    if value is None or at.type == "any":
        return
    wanted = _PYTHON[at.type]
    if not isinstance(value, wanted) or (isinstance(value, bool) and at.type != "boolean"):
        raise WrongType(path or ".", _json_type(value), _GO.get(at.type, at.type))
    if isinstance(value, int) and at.type in _NUMBERS:
        bits = 64 if at.target.get("format") == "int64" else 32
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise WrongType(path or ".", f"number {str(value)[:40]}", f"int{bits}")
    if at.type == "object":
        for key, below in value.items():
            if key in at.fields:
                yield from unknown_fields(below, at.fields[key], f"{path}.{key}" if path else key)
            else:
                yield f"{path}.{key}" if path else key
    elif at.type == "map":
        for key, below in value.items():
            yield from unknown_fields(below, at.values, f"{path}.{key}")
    elif at.type == "list":
        for index, below in enumerate(value):
            if below is None:
                raise WrongType(f"{path}[{index}]", "null", at.values.type)
            yield from unknown_fields(below, at.values, f"{path}[{index}]")


def prune_unknown(value: Any, at: Shape) -> Any:
    """The value as the server keeps it: without unknown fields and nulls, quantities in their shortest form."""
    if at.type == "object" and isinstance(value, dict):
        return {
            key: prune_unknown(below, at.fields[key])
            for key, below in value.items()
            if key in at.fields and below is not None
        }
    if at.type == "quantity":
        return canonical(value)
    if at.type == "list" and isinstance(value, list):
        return [prune_unknown(below, at.values) for below in value]
    if at.type == "map" and isinstance(value, dict):
        return {k: prune_unknown(v, at.values) for k, v in value.items() if v is not None}
    return value


def missing_fields(value: Any, at: Shape, path: str = "") -> Iterator[str]:
    """Paths of all fields that the schema requires and the object lacks."""
    if at.type == "object" and isinstance(value, dict):
        for key in at.required:
            if value.get(key) is None:
                yield f"{path}.{key}" if path else key
        for key, below in value.items():
            if key in at.fields:
                yield from missing_fields(below, at.fields[key], f"{path}.{key}" if path else key)
    elif at.type == "list" and isinstance(value, list):
        for index, below in enumerate(value):
            yield from missing_fields(below, at.values, f"{path}[{index}]")
    elif at.type == "map" and isinstance(value, dict):
        for key, below in value.items():
            yield from missing_fields(below, at.values, f"{path}[{key}]")


def _json_type(value: Any) -> str:
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
