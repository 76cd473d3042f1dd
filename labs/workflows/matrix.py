"""One job as several: `strategy.matrix` with its `include` and `exclude`.

Source: https://docs.github.com/actions/how-tos/write-workflows/choose-what-workflows-do/run-job-variations
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from labs.workflows import values
from labs.workflows.errors import BadExpression

MOST = 256  # GitHub's own limit


def combinations(matrix: Any) -> list[dict[str, Any]]:
    """Every combination, in GitHub's order.

    Raises:
        BadExpression: the matrix is none, or has no combination, or too many.
    """
    if not isinstance(matrix, Mapping):
        raise BadExpression("`matrix` is no mapping")
    axes = {key: value for key, value in matrix.items() if key not in ("include", "exclude")}
    for key, value in axes.items():
        if not isinstance(value, list):
            raise BadExpression(f"`matrix.{key}` is no list")
    size = 1
    for value in axes.values():
        size *= len(value)
    if size > MOST:
        raise BadExpression(f"the matrix has more than {MOST} combinations")
    made = (
        [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())] if axes else []
    )
    made = [one for one in made if not any(_fits(rule, one) for rule in _rules(matrix, "exclude"))]
    originals = [dict(one) for one in made]
    for rule in _rules(matrix, "include"):
        # A rule extends every original combination in which it would overwrite nothing; otherwise it is one more.
        hosts = [
            one
            for one, original in zip(made, originals, strict=False)
            if all(key not in original or _same(original[key], value) for key, value in rule.items())
        ]
        for host in hosts:
            host.update(rule)
        if not hosts:
            made.append(dict(rule))
    if not made:
        raise BadExpression("the matrix has no combination")
    if len(made) > MOST:
        raise BadExpression(f"the matrix has more than {MOST} combinations")
    return made


def label(name: str, combination: Mapping[str, Any]) -> str:
    """What GitHub calls the check of one combination, unless the job's name says it: `test (3.11, ubuntu)`."""
    words = [values.text(value) for value in combination.values() if not isinstance(value, (list, Mapping))]
    return f"{name} ({', '.join(words)})" if words else name


def _rules(matrix: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    rules = matrix.get(key) or []
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise BadExpression(f"`matrix.{key}` is no list of mappings")
    return rules


def _fits(rule: Mapping[str, Any], combination: Mapping[str, Any]) -> bool:
    return all(key in combination and _same(combination[key], value) for key, value in rule.items())


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)
