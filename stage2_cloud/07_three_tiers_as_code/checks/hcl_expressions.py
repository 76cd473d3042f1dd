"""Evaluates expressions of Terraform's language on the trees of python-hcl2.

Source: https://developer.hashicorp.com/terraform/language/expressions. What it does not know it refuses by name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from lark import Tree

import hcl_files
from hcl_files import children, name_of, tokens, trees
from hcl_functions import call
from hcl_operators import operate
from hcl_scope import Budget, Lazy, Scope, attribute, index
from hcl_templates import trimmed, until
from hcl_values import (
    CLOSE,
    OPEN,
    CannotEvaluate,
    Wrong,
    bounded,
    items,
    known,
    pairs,
    to_bool,
    to_number,
    to_text,
    unknown,
)


def evaluate(tree: Any, scope: Scope) -> Any:
    """The value of an expression.

    Raises:
        CannotEvaluate: this reader does not know it.
        Wrong: Terraform would refuse it.
    """
    scope.budget.take()
    kind = str(tree.data)
    rule = RULES.get(kind)
    if rule is None:
        raise CannotEvaluate(f"the expression of kind {kind}")
    try:
        return rule(tree, scope)
    except RecursionError:
        raise CannotEvaluate("an expression that is nested too deeply") from None


def _term(tree: Tree, scope: Scope) -> Any:
    return evaluate(trees(tree)[0], scope)


def _literal(tree: Tree, scope: Scope) -> Any:
    return {"true": True, "false": False, "null": None}[name_of(tree)]


def _int(tree: Tree, scope: Scope) -> int:
    if len(name_of(tree)) > 30:
        raise CannotEvaluate("a number of more than 30 digits")
    return int(name_of(tree))


def _float(tree: Tree, scope: Scope) -> Any:
    number = float(name_of(tree))
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _identifier(tree: Tree, scope: Scope) -> Any:
    return scope.name(name_of(tree))


def _tuple(tree: Tree, scope: Scope) -> list[Any]:
    return [evaluate(each, scope) for each in trees(tree)]


def _object(tree: Tree, scope: Scope) -> dict[str, Any]:
    found = {}
    for element in trees(tree):
        key, value = trees(element)
        found[_key(key, scope)] = evaluate(value, scope)
    return found


def _key(tree: Tree, scope: Scope) -> str:
    """A bare name is a text; `(name)` and everything else is evaluated."""
    inner = trees(tree)[0]
    if inner.data in ("keyword", "identifier"):
        return name_of(inner)
    if inner.data == "expr_term" and not tokens(inner):
        only = trees(inner)[0]
        if only.data in ("identifier", "literal_value"):
            return name_of(only)
    return to_text(known(evaluate(inner, scope), "a key of a map"), "a key of a map")


def _unary(tree: Tree, scope: Scope) -> Any:
    value = evaluate(trees(tree)[0], scope)
    if tokens(tree)[0] == "!":
        return not to_bool(value, "!")
    return -to_number(value, "-")


def _binary(tree: Tree, scope: Scope) -> Any:
    left, term = trees(tree)
    sign_tree, right = trees(term)
    sign = str(sign_tree.children[0])
    if sign in ("&&", "||"):
        first, second = (to_bool(evaluate(each, scope), sign) for each in (left, right))
        return (first and second) if sign == "&&" else (first or second)
    return operate(sign, evaluate(left, scope), evaluate(right, scope))


def _conditional(tree: Tree, scope: Scope) -> Any:
    condition, yes, no = trees(tree)
    return evaluate(yes if to_bool(evaluate(condition, scope), "a condition") else no, scope)


def _call(tree: Tree, scope: Scope) -> Any:
    parts = trees(tree)
    name = name_of(parts[0])
    if [part for part in parts[1:] if part.data == "identifier"]:
        raise CannotEvaluate(f"a function of a provider, {name}::…")
    written = next((part for part in parts if part.data == "arguments"), None)
    arguments = trees(written) if written is not None else []
    if name in ("try", "can"):
        return _first_that_works(name, arguments, scope)
    values = [evaluate(each, scope) for each in arguments]
    if written is not None and "..." in tokens(written):
        values = values[:-1] + items(values[-1], "…")
    if any(isinstance(value, Lazy) for value in values):
        raise CannotEvaluate(
            f"{name}() of all that {next(v.what for v in values if isinstance(v, Lazy))} holds"
        )
    if name in ("file", "templatefile"):
        return _file(name, values, scope)
    return call(name, values)


def _file(name: str, values: list[Any], scope: Scope) -> Any:
    """A file of the folder `infra`, as it is or as a template that sees its variables only."""
    path = posixpath.normpath(to_text(known(values[0], name), name))
    if path not in scope.files:
        raise Wrong(f"{name}: there is no file {path} in infra")
    text = bounded(scope.files[path].decode("utf-8", "replace"))
    if OPEN in text or CLOSE in text:
        raise CannotEvaluate(f"{path}: characters of Unicode's private area")
    if name == "file":
        return text

    def refuse(root: str) -> Any:
        raise Wrong(f"{path}: there is no variable {root}")

    if len(values) != 2 or not isinstance(values[1], dict):
        raise Wrong("templatefile: a path and a map are wanted")
    inner = Scope(refuse, scope.budget, values[1])
    return to_text(evaluate(hcl_files.template(text), inner)) if text else ""


def _first_that_works(name: str, arguments: list[Any], scope: Scope) -> Any:
    for each in arguments:
        try:
            value = evaluate(each, scope)
        except Wrong:
            continue
        return True if name == "can" else value
    if name == "can":
        return False
    raise Wrong("try: nothing works")


def _get(tree: Tree, scope: Scope) -> Any:
    first, second = trees(tree)
    return _step(evaluate(first, scope), second, scope)


def _step(value: Any, tree: Tree, scope: Scope) -> Any:
    if tree.data == "get_attr":
        return attribute(value, name_of(trees(tree)[0]))
    if tree.data == "short_index":
        return index(value, int(tokens(tree)[-1]))
    return index(value, evaluate(trees(tree)[0], scope))


EACH = ("get_attr", "short_index")


def _splat(tree: Tree, scope: Scope) -> Any:
    first, second = trees(tree)
    value = evaluate(first, scope)
    if value is None:
        return []
    if isinstance(value, Lazy):
        raise CannotEvaluate(f"[*] of {value.what}")
    if unknown(value) and not isinstance(value, (list, tuple, dict)):
        raise CannotEvaluate("[*] of something that is known only after an apply")
    steps = trees(second)
    # `.*` goes into attributes alone: an index behind it is one of the whole list. `[*]` takes every step.
    own = len(steps)
    if tree.data == "attr_splat_expr_term":
        own = next((at for at, step in enumerate(steps) if step.data not in EACH), own)
    found: Any = []
    for each in value if isinstance(value, (list, tuple)) else [value]:
        for step in steps[:own]:
            each = _step(each, step, scope)
        found.append(each)
    for step in steps[own:]:
        found = _step(found, step, scope)
    return found


def _for(tree: Tree, scope: Scope) -> Any:
    parts = trees(tree)
    intro = parts[0]
    condition = next((part for part in parts if part.data == "for_cond"), None)
    results = [part for part in parts[1:] if part.data != "for_cond"]
    *names, source = trees(intro)
    groups, where = "..." in tokens(tree), evaluate(source, scope)
    if isinstance(where, Lazy):
        raise CannotEvaluate(f"`for` over {where.what}")
    found: list[tuple[Any, Any]] = []
    for key, value in pairs(where, "for"):
        bound = dict(
            zip((name_of(name) for name in names), (key, value) if len(names) == 2 else (value,), strict=True)
        )
        inner = scope.with_names(bound)
        if condition is not None and not to_bool(evaluate(trees(condition)[0], inner), "if"):
            continue
        made = [evaluate(result, inner) for result in results]
        found.append((made[0], made[-1]))
    if tree.data == "for_tuple_expr":
        return bounded([value for _, value in found])
    made_map: dict[str, Any] = {}
    for key, value in found:
        text = to_text(known(key, "a key of a map"), "a key of a map")
        if groups:
            made_map.setdefault(text, []).append(value)
        elif text in made_map:
            raise Wrong(f"two items have the key {text!r}")
        else:
            made_map[text] = value
    return bounded(made_map)


def _heredoc(tree: Tree, scope: Scope) -> Any:
    written = str(tree.children[0])
    return to_text(evaluate(hcl_files.heredoc(written, tree.data == "heredoc_template_trim"), scope))


def _string(tree: Tree, scope: Scope) -> Any:
    parts = [part.children[0] for part in trees(tree)]
    if len(parts) == 1 and isinstance(parts[0], Tree) and parts[0].data == "interpolation":
        return evaluate(trees(parts[0])[0], scope)  # "${x}" is x, whatever it is
    text, rest = until(trimmed(parts), scope, (), evaluate)
    if rest:
        raise Wrong("a template directive without its beginning")
    return bounded(text)


RULES: dict[str, Callable[[Tree, Scope], Any]] = {
    "expr_term": _term,
    "literal_value": _literal,
    "int_lit": _int,
    "float_lit": _float,
    "identifier": _identifier,
    "tuple": _tuple,
    "object": _object,
    "unary_op": _unary,
    "binary_op": _binary,
    "conditional": _conditional,
    "function_call": _call,
    "get_attr_expr_term": _get,
    "index_expr_term": _get,
    "attr_splat_expr_term": _splat,
    "full_splat_expr_term": _splat,
    "for_tuple_expr": _for,
    "for_object_expr": _for,
    "heredoc_template": _heredoc,
    "heredoc_template_trim": _heredoc,
    "string": _string,
}

__all__ = ["Budget", "Lazy", "Scope", "attribute", "children", "evaluate", "index"]
