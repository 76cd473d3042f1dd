"""Terraform's functions, as far as infrastructure of this size uses them. An unknown one is refused by its name.

Source: https://developer.hashicorp.com/terraform/language/functions, a page for each.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from hcl_blocks import cidrhost, cidrnetmask, cidrsubnet, cidrsubnets
from hcl_collections import as_map, coalesce, contains, element, flatten, index_of, length, lookup, merge
from hcl_values import (
    CannotEvaluate,
    Set,
    Wrong,
    bounded,
    items,
    known,
    make_set,
    to_bool,
    to_number,
    to_text,
    unknown,
)

VERB = re.compile(r"%(?:%|(0?\d{0,2})([sdqvt]))")


def _format(pattern: Any, *values: Any) -> str:
    rest = list(values)

    def one(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        value, width = rest.pop(0), found[1]
        if found[2] == "d":
            return f"{int(to_number(value, 'format')):{width or ''}d}"
        text = to_text(value, "format")
        if width:
            raise CannotEvaluate("a width in format")
        return json.dumps(text) if found[2] == "q" else text

    if "%" in VERB.sub("", str(pattern)):
        raise CannotEvaluate(f"format({pattern!r}, …)")
    try:
        text = VERB.sub(one, to_text(pattern))
    except IndexError:
        raise Wrong(f"format: too few values for {pattern!r}") from None
    if rest:
        raise Wrong(f"format: too many values for {pattern!r}")
    return text


def _matches(pattern: Any, text: Any) -> list[Any]:
    if len(text) > 2000 or re.search(r"[+*}]\)?[+*{]", pattern):
        raise CannotEvaluate("a regular expression of this kind")
    try:
        found = list(re.finditer(known(pattern, "regex"), known(text, "regex")))
    except re.error:
        raise CannotEvaluate(f"the regular expression {pattern!r}") from None
    return [each.groupdict() or list(each.groups()) or each[0] for each in found]


def _regex(pattern: Any, text: Any) -> Any:
    found = _matches(pattern, text)
    if not found:
        raise Wrong(f"regex: {pattern!r} matches nothing")
    return found[0]


def _decoded(text: Any) -> str:
    try:
        return base64.b64decode(known(text, "base64decode"), validate=True).decode("utf-8")
    except (ValueError, UnicodeDecodeError):
        raise Wrong("base64decode: this is no text in base64") from None


def _indent(spaces: Any, text: Any) -> str:
    return to_text(text, "indent").replace("\n", "\n" + " " * int(to_number(spaces, "indent")))


def _replace(text: Any, old: Any, new: Any) -> str:
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        raise CannotEvaluate("replace with a regular expression")
    return text.replace(known(old, "replace"), new)


def _range(*bounds: Any) -> list[int]:
    found = range(*(int(to_number(bound, "range")) for bound in bounds))
    if len(found) > 1024:
        raise Wrong("range: more than 1024 numbers")
    return list(found)


def _slice(value: Any, start: Any, end: Any) -> list[Any]:
    found = items(value, "slice")
    if not 0 <= start <= end <= len(found):
        raise Wrong("slice: outside of the list")
    return found[int(start) : int(end)]


def _zipmap(keys: Any, values: Any) -> dict[str, Any]:
    if len(keys) != len(values):
        raise Wrong("zipmap: two lists of the same length are wanted")
    return dict(zip(known(keys, "zipmap"), values, strict=True))


def _values(value: Any) -> list[Any]:
    return [each for _, each in sorted(as_map(value, "values").items())]


def _chunklist(value: Any, size: Any) -> list[list[Any]]:
    found = items(value, "chunklist")
    return [found[at : at + int(size)] for at in range(0, len(found), int(size))]


def _tolist(value: Any) -> list[Any]:
    return list(items(value, "tolist"))


def _sets(*values: Any) -> list[list[Any]]:
    return [items(value, "a set") for value in values]


def _encode(value: Any) -> Any:
    """What JSON has for it; marks stay as they are."""
    if isinstance(value, dict):
        return {key: _encode(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _json(value: Any) -> str:
    return json.dumps(_encode(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _hash(kind: str) -> Callable[[Any], str]:
    return lambda text: hashlib.new(kind, known(text, kind).encode()).hexdigest()


def _sort(value: Any) -> list[Any]:
    return sorted(to_text(each) for each in items(known(value, "sort"), "sort"))


def _one(value: Any) -> Any:
    found = items(value, "one")
    if len(found) > 1:
        raise Wrong("one: the list has more than one item")
    return found[0] if found else None


def _numbers(what: str, choose: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: choose([to_number(each, what) for each in given])


def _texts(what: str, does: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: does(*(known(each, what) for each in given))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(to_number(value, "abs")),
    "alltrue": lambda value: all(to_bool(each, "alltrue") for each in items(value, "alltrue")),
    "anytrue": lambda value: any(to_bool(each, "anytrue") for each in items(value, "anytrue")),
    "base64encode": lambda text: text if unknown(text) else base64.b64encode(text.encode()).decode(),
    "base64decode": _decoded,
    "ceil": lambda value: math.ceil(to_number(value, "ceil")),
    "chomp": _texts("chomp", lambda text: text.rstrip("\r\n")),
    "chunklist": _chunklist,
    "cidrhost": cidrhost,
    "cidrnetmask": cidrnetmask,
    "cidrsubnet": cidrsubnet,
    "cidrsubnets": cidrsubnets,
    "coalesce": coalesce,
    "coalescelist": lambda *lists: next((each for each in lists if each), []),
    "compact": lambda value: [each for each in items(value, "compact") if each not in (None, "")],
    "concat": lambda *lists: [each for one in lists for each in items(one, "concat")],
    "contains": contains,
    "distinct": lambda value: list(dict.fromkeys(items(value, "distinct"))),
    "element": element,
    "endswith": _texts("endswith", lambda text, end: text.endswith(end)),
    "flatten": flatten,
    "floor": lambda value: math.floor(to_number(value, "floor")),
    "format": _format,
    "formatlist": lambda pattern, value: [_format(pattern, each) for each in items(value, "formatlist")],
    "indent": _indent,
    "index": index_of,
    "join": lambda between, *lists: between.join(
        to_text(each) for one in lists for each in items(one, "join")
    ),
    "jsonencode": _json,
    "jsondecode": _texts("jsondecode", json.loads),
    "keys": lambda value: sorted(as_map(value, "keys")),
    "length": length,
    "lookup": lookup,
    "lower": _texts("lower", str.lower),
    "max": _numbers("max", max),
    "md5": _hash("md5"),
    "merge": merge,
    "min": _numbers("min", min),
    "nonsensitive": lambda value: value,
    "one": _one,
    "parseint": lambda text, base: int(known(text, "parseint"), int(to_number(base, "parseint"))),
    "range": _range,
    "regex": _regex,
    "regexall": _matches,
    "replace": _replace,
    "reverse": lambda value: items(value, "reverse")[::-1],
    "sensitive": lambda value: value,
    "setintersection": lambda *sets: make_set(
        each for each in known(sets[0], "a set") if all(each in other for other in _sets(*sets[1:]))
    ),
    "setproduct": lambda *sets: [list(each) for each in itertools.product(*bounded(_sets(*sets)))],
    "setsubtract": lambda first, second: make_set(
        each for each in first if each not in items(second, "a set")
    ),
    "setunion": lambda *sets: make_set(each for one in _sets(*sets) for each in one),
    "sha1": _hash("sha1"),
    "sha256": _hash("sha256"),
    "slice": _slice,
    "sort": _sort,
    "split": _texts("split", lambda between, text: text.split(between)),
    "startswith": _texts("startswith", lambda text, start: text.startswith(start)),
    "strcontains": _texts("strcontains", lambda text, part: part in text),
    "substr": _texts("substr", lambda text, at, length: text[at:] if length < 0 else text[at : at + length]),
    "sum": lambda value: sum(to_number(each, "sum") for each in items(value, "sum")),
    "title": _texts("title", str.title),
    "tobool": lambda value: None if value is None else to_bool(value, "tobool"),
    "tolist": _tolist,
    "tomap": lambda value: dict(as_map(value, "tomap")),
    "tonumber": lambda value: None if value is None else to_number(value, "tonumber"),
    "toset": lambda value: make_set(items(value, "toset")),
    "tostring": lambda value: None if value is None else to_text(value, "tostring"),
    "trim": _texts("trim", str.strip),
    "trimprefix": _texts("trimprefix", str.removeprefix),
    "trimspace": _texts("trimspace", str.strip),
    "trimsuffix": _texts("trimsuffix", str.removesuffix),
    "urlencode": _texts("urlencode", lambda text: urllib.parse.quote_plus(text, safe="-_.~")),
    "upper": _texts("upper", str.upper),
    "values": _values,
    "zipmap": _zipmap,
}


def call(name: str, arguments: list[Any]) -> Any:
    """The result of a function.

    Raises:
        CannotEvaluate: this reader does not know it.
        Wrong: Terraform would refuse these arguments.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise CannotEvaluate(f"the function {name}()")
    if name == "setproduct" and math.prod(len(each) for each in arguments) > 1024:
        raise CannotEvaluate("setproduct of more than 1,024 items")
    try:
        return bounded(function(*arguments))
    except (CannotEvaluate, Wrong):
        raise
    except (
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        ZeroDivisionError,
    ) as error:
        raise Wrong(f"{name}(): {type(error).__name__} with these arguments") from None


__all__ = ["FUNCTIONS", "Set", "call"]
