"""GitHub's expression language: `${{ … }}` in texts, and the conditions of jobs and steps.

Source: https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labs.workflows import values
from labs.workflows.errors import BadExpression

MAX_LENGTH = 21_000  # GitHub's own limit
MAX_DEPTH = 50
STATUS_FUNCTIONS = ("success", "failure", "always", "cancelled")
TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![A-Za-z_]))"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<mark>==|!=|<=|>=|&&|\|\||[()\[\].,!<>*]))"
)
Function = Callable[..., Any]


@dataclass(frozen=True)
class Scope:
    """What an expression can see: contexts by name, and functions beside the ones that are always there."""

    contexts: Mapping[str, Any]
    functions: Mapping[str, Function]

    def with_context(self, name: str, value: Any) -> Scope:
        return Scope({**self.contexts, name: value}, self.functions)


class _Filtered(list[Any]):
    """What `.*` gives: a later `.name` is taken of each item."""


def evaluate(expression: str, scope: Scope) -> Any:
    """The value of one expression, without its `${{ }}`.

    Raises:
        BadExpression: it cannot be parsed, or names something that does not exist.
    """
    if len(expression) > MAX_LENGTH:
        raise BadExpression("the expression is too long")
    return _Parser(expression, scope).value()


def fill(template: Any, scope: Scope) -> Any:
    """The template with every `${{ }}` evaluated, in lists and mappings as well.

    A text that is one single expression keeps the type of its value.
    """
    if isinstance(template, str):
        pieces = _pieces(template)
        if len(pieces) == 1 and pieces[0][1]:
            return evaluate(pieces[0][0], scope)
        filled = ""
        for piece, live in pieces:
            filled = values.bounded(filled + (values.text(evaluate(piece, scope)) if live else piece))
        return filled
    if isinstance(template, list):
        return [fill(item, scope) for item in template]
    if isinstance(template, dict):
        return {values.text(fill(key, scope)): fill(item, scope) for key, item in template.items()}
    return template


def condition(written: Any, scope: Scope) -> bool:
    """Whether an `if` holds. Without a status function in it, it also asks for `success()`."""
    if written is None or written == "":
        return values.truthy(evaluate("success()", scope))
    text = values.text(written)
    pieces = _pieces(text)
    if not any(live for _, live in pieces):
        expression = text
    elif len(pieces) == 1:
        expression = pieces[0][0]
    else:  # a text around an expression is a text, and a text that is not empty is true
        ok = _asks_for_status(text) or values.truthy(evaluate("success()", scope))
        return ok and values.truthy(fill(text, scope))
    if not _asks_for_status(expression) and not values.truthy(evaluate("success()", scope)):
        return False
    return values.truthy(evaluate(expression, scope))


def _asks_for_status(expression: str) -> bool:
    bare = re.sub(r"'(?:[^']|'')*'", "''", expression)
    return re.search(rf"\b({'|'.join(STATUS_FUNCTIONS)})\s*\(", bare, re.IGNORECASE) is not None


def _pieces(template: str) -> list[tuple[str, bool]]:
    """(text, is it an expression) of each part. An expression ends at the first `}}` outside of a text."""
    found: list[tuple[str, bool]] = []
    rest = template
    while (start := rest.find("${{")) >= 0:
        inside = re.match(r"(?:[^'}]|'(?:[^']|'')*'|\}(?!\}))*", rest[start + 3 :])
        assert inside is not None
        end = start + 3 + inside.end()
        if not rest.startswith("}}", end):
            raise BadExpression("a `${{` has no `}}`")
        if start:
            found.append((rest[:start], False))
        found.append((rest[start + 3 : end], True))
        rest = rest[end + 2 :]
    if rest or not found:
        found.append((rest, False))
    return found


class _Parser:
    """Parses and evaluates in one pass; `live` is false in the arm of `&&` and `||` that does not count."""

    def __init__(self, expression: str, scope: Scope) -> None:
        self.expression, self.scope = expression, scope
        self.tokens = self._tokens(expression.strip())
        self.at = self.depth = 0
        self.live = True

    def value(self) -> Any:
        result = self._or()
        if self.at < len(self.tokens):
            raise self._wrong(f"`{self.tokens[self.at][1]}` is not expected")
        return result

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        found, at = [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise self._wrong(f"`{text[at:].strip()[:1]}` is not expected")
            found.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        if not found:
            raise self._wrong("it is empty")
        return found

    def _wrong(self, what: str) -> BadExpression:
        return BadExpression(f"`{self.expression.strip()[:120]}`: {what}")

    def _is(self, *marks: str) -> str:
        """Step over the next token if it is one of these marks."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "mark":
            mark = self.tokens[self.at][1]
            if mark in marks:
                self.at += 1
                return mark
        return ""

    def _need(self, mark: str) -> None:
        if not self._is(mark):
            raise self._wrong(f"`{mark}` is missing")

    def _or(self) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._wrong("it is nested too deeply")
        left = self._and()
        while self._is("||"):
            left = self._arm(left, not values.truthy(left), self._and)
        self.depth -= 1
        return left

    def _and(self) -> Any:
        left = self._equality()
        while self._is("&&"):
            left = self._arm(left, values.truthy(left), self._equality)
        return left

    def _arm(self, left: Any, counts: bool, right: Callable[[], Any]) -> Any:
        was, self.live = self.live, self.live and counts
        value = right()
        self.live = was
        return value if counts else left

    def _equality(self) -> Any:
        left = self._comparison()
        while mark := self._is("==", "!="):
            left = values.equal(left, self._comparison()) is (mark == "==")
        return left

    def _comparison(self) -> Any:
        left = self._not()
        while mark := self._is("<=", ">=", "<", ">"):
            right = self._not()
            first, second = (left, right) if mark[0] == "<" else (right, left)
            left = values.less(first, second) or (len(mark) == 2 and values.equal(first, second))
        return left

    def _not(self) -> Any:
        if self._is("!"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise self._wrong("it is nested too deeply")
            value = not values.truthy(self._not())
            self.depth -= 1
            return value
        return self._path()

    def _path(self) -> Any:
        value = self._primary()
        while mark := self._is(".", "["):
            if mark == "." and self._is("*"):
                value = _all_of(value)
            elif mark == ".":
                value = _member(value, self._name())
            elif self._is("*"):
                self._need("]")
                value = _all_of(value)
            else:
                key = self._or()
                self._need("]")
                value = _member(value, key)
        return value

    def _name(self) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "name":
            raise self._wrong("a name is missing after `.`")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def _primary(self) -> Any:
        if self._is("("):
            value = self._or()
            self._need(")")
            return value
        if self.at >= len(self.tokens):
            raise self._wrong("it ends too early")
        kind, token = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return values.number(token) if token[0] != "-" else -values.number(token[1:])
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind != "name":
            raise self._wrong(f"`{token}` is not expected")
        if self._is("("):
            return self._call(token)
        constants = {
            "null": None,
            "true": True,
            "false": False,
            "NaN": float("nan"),
            "Infinity": float("inf"),
        }
        if token in constants:
            return constants[token]
        if token.lower() not in {name.lower() for name in self.scope.contexts}:
            raise self._wrong(f"there is no context `{token}` here")
        return values.lookup(self.scope.contexts, token)

    def _call(self, name: str) -> Any:
        arguments: list[Any] = []
        if not self._is(")"):
            arguments.append(self._or())
            while self._is(","):
                arguments.append(self._or())
            self._need(")")
        function = values.lookup(self.scope.functions, name)
        if function is None:
            raise self._wrong(f"there is no function `{name}` here")
        if not self.live:
            return None
        try:
            return function(*arguments)
        except TypeError:
            raise self._wrong(f"`{name}` does not take {len(arguments)} arguments") from None


def _all_of(value: Any) -> _Filtered:
    if isinstance(value, Mapping):
        return _Filtered(value.values())
    return _Filtered(value if isinstance(value, list) else [])


def _member(value: Any, key: Any) -> Any:
    if isinstance(value, _Filtered):
        found = [_member(item, key) for item in value]
        return _Filtered(item for item in found if item is not None)
    if isinstance(value, Mapping):
        return values.lookup(value, values.text(key))
    if isinstance(value, list):
        index = values.number(key)
        return value[int(index)] if index == index and 0 <= index < len(value) else None
    return None
