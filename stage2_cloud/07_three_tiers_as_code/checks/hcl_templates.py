"""Templates: texts with values and directives in them.

Source: https://developer.hashicorp.com/terraform/language/expressions/strings#string-templates
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lark import Tree

import hcl_files
from hcl_files import name_of, tokens, trees
from hcl_scope import Scope
from hcl_values import CannotEvaluate, Wrong, bounded, pairs, to_bool, to_text

Evaluate = Callable[[Any, Scope], Any]


def trimmed(parts: list[Any]) -> list[Any]:
    """The parts of a quoted text, where `~` in a directive has trimmed the text beside it."""
    found: list[Any] = []
    trims_next = False
    for part in parts:
        if not isinstance(part, Tree):
            text = hcl_files.unescape(str(part))
            found.append(Plain(text.lstrip() if trims_next else text))
            trims_next = False
            continue
        signs = tokens(part)
        if signs[1:2] == ["~"] and found and isinstance(found[-1], Plain):
            found[-1] = Plain(found[-1].rstrip())
        trims_next = signs[-2:-1] == ["~"] and len(signs) > 2
        found.append(part)
    return found


class Plain(str):
    """A text without escapes."""


def until(parts: list[Any], scope: Scope, ends: tuple[str, ...], evaluate: Evaluate) -> tuple[str, list[Any]]:
    """The text up to a directive in `ends`, and the parts from there on."""
    text, parts = "", list(parts)
    while parts:
        part = parts.pop(0)
        if not isinstance(part, Tree):
            text += part if isinstance(part, Plain) else hcl_files.unescape(str(part))
        elif part.data == "interpolation":
            text += to_text(evaluate(trees(part)[0], scope))
        elif part.data in ends:
            return text, [part, *parts]
        elif part.data == "template_if_start":
            yes, parts = until(parts, scope, ("template_else", "template_endif"), evaluate)
            no = ""
            if parts and parts[0].data == "template_else":
                no, parts = until(parts[1:], scope, ("template_endif",), evaluate)
            parts = parts[1:]
            text += yes if to_bool(evaluate(trees(part)[-1], scope), "if") else no
        elif part.data == "template_for_start":
            text, parts = _for_directive(text, part, parts, scope, evaluate)
        else:
            raise Wrong("a template directive without its beginning")
        bounded(text)
    return text, []


def _for_directive(
    text: str, start: Tree, parts: list[Any], scope: Scope, evaluate: Evaluate
) -> tuple[str, list[Any]]:
    *names, source = trees(start)
    after: list[Any] | None = None
    for key, value in pairs(evaluate(source, scope), "for"):
        bound = dict(
            zip((name_of(name) for name in names), (key, value) if len(names) == 2 else (value,), strict=True)
        )
        more, after = until(parts, scope.with_names(bound), ("template_endfor",), evaluate)
        text += more
    if after is None:
        raise CannotEvaluate("a template `for` over nothing")
    return text, after[1:]
