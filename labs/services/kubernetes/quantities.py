"""Amounts of CPU and memory, and numbers that may be percentages.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", 2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_PERCENT = re.compile(r"\d+%")


def quantity(value: Any) -> Decimal:
    """Read "250m" as 0.25 and "1Gi" as 1073741824.

    Raises:
        ValueError: not a quantity.
    """
    return _parsed(str(value).strip())


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Decimal:
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    number, exponent, unit = match.groups()
    return Decimal(number + (exponent or "")) * _FACTORS[unit or ""]


def shown_cpu(cores: Decimal) -> str:
    """Cores in the shortest form: 0.25 → 250m; 2 → 2."""
    milli = math.ceil(cores * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def is_percent(value: Any) -> bool:
    return isinstance(value, str) and bool(_PERCENT.fullmatch(value))


def share(value: Any, total: int, *, up: bool) -> int:
    """An int-or-percent of `total`, rounded up or down."""
    if isinstance(value, int):
        return value
    if not is_percent(value):
        raise ValueError("a percentage such as 25% was expected")
    part = int(value[:-1]) * total
    return -(-part // 100) if up else part // 100


def canonical(value: Any) -> Any:
    """The form in which the server keeps a quantity: 0.5 → "500m", "1024Mi" → "1Gi", "2000m" → "2".

    What is not a quantity stays as it is, for validation to refuse.
    """
    try:
        amount = quantity(value)
    except ValueError:
        return value
    text = str(value)
    if re.search(r"[eE][+-]?\d+$", text):
        return text
    if text.endswith("i") and amount == int(amount) and abs(amount) >= 1024:
        return _with_unit(int(amount), 1024, [f"{unit}i" for unit in "KMGTPE"])
    if amount == int(amount):
        return _with_unit(int(amount), 1000, ["k", *"MGTPE"])
    for unit in ("m", "u", "n"):
        parts = amount / _FACTORS[unit]
        if parts == int(parts) or unit == "n":
            return f"{math.ceil(parts)}{unit}"
    return text


def _with_unit(amount: int, base: int, units: list[str]) -> str:
    shown = ""
    for unit in units:
        if amount == 0 or amount % base:
            break
        amount, shown = amount // base, unit
    return f"{amount}{shown}"
