"""Reads YAML as kubectl does: YAML 1.2 scalars, no key twice. Without anchors, so that a small file stays small."""

from __future__ import annotations

import re
from typing import Any

import yaml

_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?(?:[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)", "-+0123456789"),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+0123456789."),
}


class NotYaml(Exception):
    """The text is no YAML, or has what the course's reader leaves out; the message says what and where."""


class _Loader(_BASE):  # type: ignore[misc,valid-type]
    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                raise NotYaml(f"line {key.start_mark.line + 1}: a key is no plain word")
            if key.value in seen:
                raise NotYaml(f"line {key.start_mark.line + 1}: the key `{key.value}` stands there twice")
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _no_date(loader: Any, node: yaml.ScalarNode) -> None:
    raise NotYaml(f"line {node.start_mark.line + 1}: a date without quotes is not in the subset")


def _whole(text: str) -> int:
    """A leading zero means octal, as for kubectl: `defaultMode: 0440` is 288."""
    digits = text.lstrip("+-")
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") and digits != "0" else 10
    return int(text, base)


for _name, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_implicit_resolver(
    "!date", re.compile(r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$"), list("0123456789")
)
_Loader.add_constructor("!date", _no_date)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _whole(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


def documents(text: str) -> list[Any]:
    """All documents of a file; empty ones are left out.

    Raises: NotYaml.
    """
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise NotYaml(f"line {event.start_mark.line + 1}: anchors and aliases are not in the subset")
        return [one for one in yaml.load_all(text, Loader=_Loader) if one is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise NotYaml(f"{where}{getattr(error, 'problem', None) or 'no YAML'}") from None
    except (ValueError, RecursionError):
        raise NotYaml("a value that cannot be read") from None


def document(text: str) -> Any:
    """The one document of a file.

    Raises: NotYaml.
    """
    found = documents(text)
    if len(found) != 1:
        raise NotYaml(f"{len(found)} documents where one was expected")
    return found[0]
