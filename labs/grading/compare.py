"""Comparing and showing plain data."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterable, Mapping
from typing import Any

LONG = 400


MAX_DEPTH = 100


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text from a learner's side.

    Raises:
        ValueError: no JSON, or nested more than MAX_DEPTH deep, which no contract asks for.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {MAX_DEPTH} deep") from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return value
    raise ValueError(f"nested more than {MAX_DEPTH} deep")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def same(left: Any, right: Any) -> bool:
    """Equality of plain data; NaN equals NaN, a list equals an array of the same values, 1 is not True."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left) and math.isnan(right):
        return True
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return set(left) == set(right) and all(same(left[key], right[key]) for key in right)
    if _sequence(left) and _sequence(right):
        return len(left) == len(right) and all(
            same(a, b) for a, b in zip(_items(left), _items(right), strict=True)
        )
    if type(left).__module__.startswith("pandas") or type(right).__module__.startswith("pandas"):
        return type(left) is type(right) and bool(left.equals(right))
    return bool(left == right)


def close(left: Any, right: Any, rel: float, abs: float) -> bool:
    if isinstance(right, Mapping):
        return (
            isinstance(left, Mapping)
            and set(left) == set(right)
            and all(close(left[key], right[key], rel, abs) for key in right)
        )
    if _sequence(right):
        pairs = (
            zip(_items(left), _items(right), strict=True)
            if _sequence(left) and len(left) == len(right)
            else None
        )
        return pairs is not None and all(close(a, b, rel, abs) for a, b in pairs)
    if isinstance(right, (int, float)) and not isinstance(right, bool):
        number = isinstance(left, (int, float)) and not isinstance(left, bool)
        try:
            both_nan = number and math.isnan(left) and math.isnan(right)
            return number and (both_nan or math.isclose(left, right, rel_tol=rel, abs_tol=abs))
        except OverflowError:  # a whole number that no float holds
            return False
    return same(left, right)


def show(value: Any, width: int = LONG) -> str:
    """A value as a learner can read it, in at most `width` characters."""
    if type(value).__module__.startswith("pandas"):
        return (
            f"a DataFrame of {len(value)} rows with {names(value.columns)}"
            if hasattr(value, "columns")
            else repr(value)
        )
    if _sequence(value) and not isinstance(value, list):
        value = value.tolist()
    if isinstance(value, float):
        return f"{value:.10g}"
    try:
        return shorten(json.dumps(value, ensure_ascii=False), width)
    except (TypeError, ValueError):
        return shorten(repr(value), width)


def shorten(text: str, width: int = LONG) -> str:
    if len(text) <= width:
        return text
    return f"{text[: width * 2 // 3]} … {text[-width // 3 :]}"


def exit_words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def limit_words(killed: str) -> str:
    """A limit that ended a process, in words."""
    return {
        "": "",
        "time": "it took too long",
        "memory": "it used too much memory",
        "output": "it printed without end",
        "processes": "it started too many processes",
        "disk": "it wrote too much to disk",
    }.get(killed, killed)


def _sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (
        type(value).__module__ == "numpy" and getattr(value, "ndim", 0) > 0
    )


def _items(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def is_kind(value: Any, wanted: type | tuple[type, ...]) -> bool:
    kinds = wanted if isinstance(wanted, tuple) else (wanted,)
    if isinstance(value, bool):
        return bool in kinds
    if float in kinds and isinstance(value, int):
        return True
    if list in kinds and _sequence(value):
        return True
    return isinstance(value, kinds)


PLAIN_NAMES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "dict": "a dict",
    "list": "a list",
}
PLAIN_NAMES |= {
    "bool": "True or False",
    "NoneType": "None",
    "ndarray": "an array",
    "DataFrame": "a DataFrame",
}


def type_name(value: Any) -> str:
    name = type(value).__name__
    return PLAIN_NAMES.get(name, f"a {name}")


def type_names(kinds: type | tuple[type, ...]) -> str:
    names = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(PLAIN_NAMES.get(kind.__name__, f"a {kind.__name__}") for kind in names)


def names(keys: Iterable[Any]) -> str:
    return ", ".join(f"`{key}`" for key in sorted(map(str, keys)))


def as_set(status: int | Iterable[int]) -> set[int]:
    return {status} if isinstance(status, int) else set(status)


def arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The arguments of a call, as a reader would write them."""
    words = [show(value, 80) for value in args] + [
        f"{key}={show(value, 80)}" for key, value in kwargs.items()
    ]
    return ", ".join(words)
