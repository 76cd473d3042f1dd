"""Expressions over metrics, as CloudWatch alarms take them: `100 * errors / requests`, `IF(m2 > 0, m1 / m2, 0)`.

Source: CloudWatch User Guide, "Using math expressions with CloudWatch metrics". Values are one for each period, NaN
where there is none. An operation with a missing value has none; so has a division by zero. RUNNING_SUM is refused: it
sums from the first point that is looked at, and how far back an alarm looks the guide does not say.
"""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]
Value = Series | float

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class BadExpression(Exception):
    """It is no expression, or uses what is not evaluated here; the message says what."""


def evaluate(expression: str, series: Mapping[str, Series], period: float) -> Series:
    """
    Raises:
        BadExpression
    """
    text = expression.replace("^", "**").replace("&&", " and ").replace("||", " or ").replace("<>", "!=")
    text = re.sub(r"\b(AND|OR)\b", lambda word: word.group().lower(), text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise BadExpression(f"{expression!r} is no expression") from error
    length = max((len(one) for one in series.values()), default=0)
    try:
        with np.errstate(all="ignore"):
            value = np.broadcast_to(np.asarray(_Math(series, period).value(tree), dtype=np.float64), length)
    except (ArithmeticError, IndexError, RecursionError, TypeError, ValueError) as error:
        raise BadExpression(f"{expression!r} cannot be computed") from error
    return np.where(np.isfinite(value), value, np.nan)


class _Math:
    def __init__(self, series: Mapping[str, Series], period: float) -> None:
        self.series, self.period = series, period

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return float(number)
            case ast.Name(id=name):
                if name not in self.series:
                    raise BadExpression(f"there is no metric with the Id {name}")
                return self.series[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self.value(inner)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return ARITHMETIC[type(op)](self.value(left), self.value(right))  # type: ignore[no-any-return]
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return self._truth(COMPARISONS[type(op)], self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=values):
                combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return functools.reduce(lambda a, b: self._truth(combine, a, b), map(self.value, values))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return FUNCTIONS[name](self, arguments)
        raise BadExpression(f"{ast.unparse(node)} is not evaluated here")

    @staticmethod
    def _truth(test: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
        known = ~(np.isnan(left) | np.isnan(right))
        return np.where(known, np.asarray(test(left, right), dtype=np.float64), np.nan)

    def several(self, nodes: list[ast.expr]) -> list[Series]:
        """The arguments of MAX, SUM and the like: `[m1, m2]`, or one."""
        inner = nodes[0].elts if len(nodes) == 1 and isinstance(nodes[0], ast.List) else nodes
        return [np.asarray(self.value(one), dtype=np.float64) for one in inner]


def _fill(math: _Math, nodes: list[ast.expr]) -> Value:
    series, how = np.array(math.value(nodes[0]), dtype=np.float64), nodes[1]
    missing = np.isnan(series)
    if isinstance(how, ast.Name) and how.id == "REPEAT":
        last = np.maximum.accumulate(np.where(missing, -1, np.arange(len(series))))
        return np.where(last >= 0, series[np.maximum(last, 0)], np.nan)
    if isinstance(how, ast.Name) and how.id == "LINEAR":
        raise BadExpression("FILL(…, LINEAR) is not evaluated here")
    return np.where(missing, math.value(how), series)


def _if(math: _Math, nodes: list[ast.expr]) -> Value:
    condition = np.asarray(math.value(nodes[0]), dtype=np.float64)
    otherwise = math.value(nodes[2]) if len(nodes) > 2 else np.nan
    chosen = np.where(condition != 0, math.value(nodes[1]), otherwise)
    return np.where(np.isnan(condition), np.nan, chosen)


def _over(reduce: Callable[..., Any]) -> Callable[[_Math, list[ast.expr]], Value]:
    """Over the metrics, period by period; missing ones are left out."""

    def apply(math: _Math, nodes: list[ast.expr]) -> Value:
        stacked = np.stack(np.broadcast_arrays(*math.several(nodes)))
        kept = np.where(np.isnan(stacked).all(axis=0), 0.0, stacked)
        return np.where(np.isnan(stacked).all(axis=0), np.nan, reduce(kept, axis=0))

    return apply


FUNCTIONS: dict[str, Callable[[_Math, list[ast.expr]], Value]] = {
    "FILL": _fill,
    "IF": _if,
    "ABS": lambda math, nodes: np.abs(math.value(nodes[0])),
    "CEIL": lambda math, nodes: np.ceil(math.value(nodes[0])),
    "FLOOR": lambda math, nodes: np.floor(math.value(nodes[0])),
    "MAX": _over(np.nanmax),
    "MIN": _over(np.nanmin),
    "SUM": _over(np.nansum),
    "AVG": _over(np.nanmean),
    "PERIOD": lambda math, nodes: math.period,
    "DIFF": lambda math, nodes: np.concatenate([[np.nan], np.diff(np.asarray(math.value(nodes[0])))]),
    "RATE": lambda math, nodes: (
        np.concatenate([[np.nan], np.diff(np.asarray(math.value(nodes[0])))]) / math.period
    ),
}
