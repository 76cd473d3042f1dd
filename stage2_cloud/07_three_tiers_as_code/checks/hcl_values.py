"""Values of Terraform's language, with those among them that are known only after an apply.

Source: https://developer.hashicorp.com/terraform/language/expressions/types and …/expressions/references
("Values Not Yet Known"). A reference to what only an API can say (an id, an ARN) is a text with a mark in it:
`⟦address#attribute⟧`, with two characters of Unicode's private area for the brackets. So it goes through lists,
templates and modules as any text does, and whoever would have to look into it (a condition, a count, a key) refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

OPEN, CLOSE = "\ue000", "\ue001"
MARK = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*)#([^#{OPEN}{CLOSE}]*){CLOSE}")
MOST_TEXT, MOST_ITEMS = 100_000, 5_000


class CannotEvaluate(Exception):
    """The grader's reader does not know this part of the language: nothing may be concluded.

    `place` is `FILE:LINE` of the block in which it stands, where somebody has said so.
    """

    place = ""

    def at(self, place: str) -> CannotEvaluate:
        """The same, in this place, unless it has one already."""
        self.place = self.place or place
        return self


@contextmanager
def placed(place: str) -> Iterator[None]:
    """What cannot be evaluated in here is in this place."""
    try:
        yield
    except CannotEvaluate as error:
        raise error.at(place) from None


class NotYetKnown(CannotEvaluate):
    """It depends on something that is known only after an apply."""


class Wrong(Exception):
    """Terraform would refuse it too."""


class Set(tuple):
    """A set: without doubles, in the order in which Terraform goes through it (texts sorted)."""

    __slots__ = ()


def make_set(items: Iterable[Any]) -> Set:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    if all(isinstance(item, str) for item in found):
        found.sort()
    return Set(found)


def mark(address: str, attribute: str) -> str:
    """The value of an attribute that is known only after an apply."""
    return f"{OPEN}{address}#{attribute}{CLOSE}"


def reference(value: Any) -> tuple[str, str] | None:
    """(address, attribute) of a value that is one reference and nothing else."""
    found = MARK.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else None


def unknown(value: Any) -> bool:
    """Whether anything in the value is known only after an apply."""
    if isinstance(value, str):
        return OPEN in value
    if isinstance(value, dict):
        return any(unknown(each) for each in (*value, *value.values()))
    if isinstance(value, (list, tuple)):
        return any(unknown(each) for each in value)
    return False


def known(value: Any, what: str) -> Any:
    """The value, if all of it is known before an apply.

    Raises:
        NotYetKnown: it is not.
    """
    if unknown(value):
        raise NotYetKnown(f"{what} depends on something that is known only after an apply")
    return value


def bounded(value: Any) -> Any:
    """The value, unless it is larger than any honest one.

    Raises:
        CannotEvaluate: it is.
    """
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise CannotEvaluate("a text of more than 100,000 characters")
    if isinstance(value, (list, tuple, dict)) and len(value) > MOST_ITEMS:
        raise CannotEvaluate("a collection of more than 5,000 items")
    return value


def to_text(value: Any, what: str = "a template") -> str:
    """As templates do.

    Raises:
        Wrong: null, or a collection.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return repr(int(value)) if float(value).is_integer() else repr(value)
    raise Wrong(f"{what}: {'null' if value is None else 'a collection'} is no text")


def to_number(value: Any, what: str) -> int | float:
    if isinstance(value, bool) or value is None:
        raise Wrong(f"{what}: a number is wanted")
    if isinstance(value, (int, float)):
        return value
    try:
        number = float(known(value, what))
    except (TypeError, ValueError):
        raise Wrong(f"{what}: {value!r} is no number") from None
    return int(number) if number.is_integer() else number


def to_bool(value: Any, what: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        known(value, what)
        if value in ("true", "1", "false", "0"):
            return value in ("true", "1")
    raise Wrong(f"{what}: true or false is wanted")


def items(value: Any, what: str) -> list[Any]:
    """Of a list, a tuple or a set."""
    if isinstance(value, (list, tuple)):
        return list(value)
    known(value, what)
    raise Wrong(f"{what}: a list or a set is wanted")


def pairs(value: Any, what: str) -> list[tuple[Any, Any]]:
    """(key, value) of a map, in the order of keys; (index, value) of a list; (value, value) of a set."""
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, Set):
        return [(each, each) for each in value]
    return list(enumerate(items(value, what)))
