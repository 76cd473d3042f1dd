"""Operators on values. Source: https://developer.hashicorp.com/terraform/language/expressions/operators"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from hcl_values import Wrong, known, to_number

ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def operate(sign: str, one: Any, two: Any) -> Any:
    """`one sign two`, for comparisons and arithmetic.

    Raises:
        NotYetKnown: one of them is known only after an apply.
        Wrong: they are no numbers, or it is a division by zero.
    """
    if sign in ("==", "!="):
        return _same(sign, one, two) == (sign == "==")
    first, second = to_number(one, sign), to_number(two, sign)
    if sign not in ("/", "%"):
        return ARITHMETIC[sign](first, second)
    if second == 0:
        raise Wrong("a division by zero")
    if sign == "%":
        return first - second * int(first / second)
    result = first / second
    return int(result) if float(result).is_integer() else result


def _same(sign: str, one: Any, two: Any) -> bool:
    if one is None or two is None:  # an id that is not known yet is not null
        return one is None and two is None
    left, right = (list(each) if isinstance(each, tuple) else known(each, sign) for each in (one, two))
    return bool(known(left, sign) == known(right, sign)) and isinstance(one, bool) == isinstance(two, bool)
