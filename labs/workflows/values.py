"""The values of GitHub's expressions: null, booleans, numbers, texts, lists, mappings; and how they turn into others.

Source: https://docs.github.com/actions/reference/workflows-and-actions/expressions#operators
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from labs.workflows.errors import BadExpression

# What JavaScript's Number() accepts, which is what GitHub coerces texts with.
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|0x[0-9a-fA-F]+|0o[0-7]+")
MAX_TEXT = 1_000_000  # characters; a few nested `format` could otherwise fill the memory


def lookup(mapping: Mapping[str, Any], key: str) -> Any:
    """The value of a key in any case; null when there is none."""
    if key in mapping:
        return mapping[key]
    wanted = key.lower()
    return next((value for name, value in mapping.items() if str(name).lower() == wanted), None)


def truthy(value: Any) -> bool:
    """False, null, 0, NaN and the empty text are false; everything else is true, the text "false" as well."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return True if isinstance(value, (Mapping, list)) else bool(value)


def number(value: Any) -> float:
    """Null → 0, true → 1, a text → the number in it (empty → 0), anything else → NaN."""
    if value is None:
        return 0.0
    if isinstance(value, (bool, int, float)):
        return float(value)
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return 0.0
        if NUMBER.fullmatch(text):
            return float(int(text, 0)) if text[:2].lower() in ("0x", "0o") else float(text)
        if text in ("Infinity", "-Infinity"):
            return math.inf if text[0] == "I" else -math.inf
    return math.nan


def text(value: Any) -> str:
    """What stands in a text where `${{ value }}` stood."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number_text(float(value))
    if isinstance(value, str):
        return value
    return "Object" if isinstance(value, Mapping) else "Array"


def bounded(value: str) -> str:
    """The text itself, if it is not too long.

    Raises:
        BadExpression: it is.
    """
    if len(value) > MAX_TEXT:
        raise BadExpression(f"an expression makes a text of more than {MAX_TEXT:,} characters")
    return value


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.15g}"


def equal(left: Any, right: Any) -> bool:
    """`==`: texts in any case; other kinds as numbers; a list or mapping only to itself."""
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if isinstance(left, (Mapping, list)) and isinstance(right, (Mapping, list)):
        return left is right
    if left is None and right is None:
        return True
    return number(left) == number(right)  # NaN is equal to nothing


def less(left: Any, right: Any) -> bool:
    """`<`: texts by their letters in any case, all else as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() < right.upper()
    return number(left) < number(right)


def to_json(value: Any) -> str:
    """`toJSON`: two spaces an indent, whole numbers without a point."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value == value and abs(value) < 1e15 and value == int(value):
        return int(value)
    return value
