"""Type constraints of variables, and what a value becomes under one.

Source: https://developer.hashicorp.com/terraform/language/expressions/type-constraints
"""

from __future__ import annotations

from typing import Any

from lark import Tree

from hcl_expressions import Scope, evaluate
from hcl_files import Block, name_of, trees
from hcl_values import CannotEvaluate, NotYetKnown, Wrong, items, make_set, to_bool, to_number, to_text

SIMPLE = {"string": to_text, "number": to_number, "bool": to_bool}


def convert(value: Any, kind: Tree | None, scope: Scope, what: str) -> Any:
    """The value as this type has it.

    Raises:
        Wrong: it cannot become one.
    """
    if kind is None or value is None:
        return value
    if kind.data == "expr_term":
        return convert(value, trees(kind)[0], scope, what)
    if kind.data == "string":  # "string", as before version 0.12
        raise CannotEvaluate(f"the quoted type of {what}")
    if kind.data == "identifier":
        name = name_of(kind)
        if name == "any":
            return value
        if name in SIMPLE:
            return SIMPLE[name](value, what)
        raise Wrong(f"{what}: {name} is no type")
    if kind.data != "function_call":
        raise CannotEvaluate(f"the type of {what}")
    first, *rest = trees(kind)
    inner = trees(rest[0]) if rest else []
    return _collection(name_of(first), inner, value, scope, what)


def validate(rule: Block, name: str, scope: Scope) -> None:
    """Carry out a `validation` block of a variable; one that depends on what is not known yet says nothing.

    Raises:
        Wrong: its condition is not true.
    """
    about = rule.body.attributes
    try:
        fine = evaluate(about["condition"], scope)
    except NotYetKnown:
        return
    if fine is not True:
        why = (
            to_text(evaluate(about["error_message"], scope))
            if "error_message" in about
            else "its validation fails"
        )
        raise Wrong(f"the variable {name}: {why}")


def _collection(name: str, inner: list[Tree], value: Any, scope: Scope, what: str) -> Any:
    if name == "list":
        return [convert(each, inner[0], scope, what) for each in items(value, what)]
    if name == "set":
        return make_set(convert(each, inner[0], scope, what) for each in items(value, what))
    if name == "tuple":
        kinds = trees(_inside(inner[0]))
        given = items(value, what)
        if len(kinds) != len(given):
            raise Wrong(f"{what}: {len(kinds)} items are wanted")
        return [convert(each, one, scope, what) for each, one in zip(given, kinds, strict=True)]
    if not isinstance(value, dict):
        raise Wrong(f"{what}: a map is wanted")
    if name == "map":
        return {key: convert(each, inner[0], scope, what) for key, each in value.items()}
    if name == "object":
        return _object(_inside(inner[0]), value, scope, what)
    raise CannotEvaluate(f"the type {name}() of {what}")


def _inside(tree: Tree) -> Tree:
    return _inside(trees(tree)[0]) if tree.data == "expr_term" else tree


def _object(tree: Tree, value: dict[str, Any], scope: Scope, what: str) -> dict[str, Any]:
    found = {}
    for element in trees(tree):
        key_tree, kind = trees(element)
        key = name_of(_inside(trees(key_tree)[0]))
        kind = _inside(kind)
        default: Any = None
        optional = kind.data == "function_call" and name_of(trees(kind)[0]) == "optional"
        if optional:
            arguments = trees(trees(kind)[1])
            kind = arguments[0]
            default = evaluate(arguments[1], scope) if len(arguments) > 1 else None
        if key not in value and not optional:
            raise Wrong(f"{what}: the attribute {key!r} is wanted")
        given = value.get(key)
        found[key] = convert(default if given is None else given, kind, scope, f"{what}.{key}")
    return found
