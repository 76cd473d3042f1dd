"""What names mean at one place of a description, and how one gets to the parts of a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hcl_values import CannotEvaluate, Set, Wrong, items, known, mark, reference, to_number, to_text

MOST_STEPS = 400_000


class Budget:
    """How many steps an evaluation may still take."""

    def __init__(self) -> None:
        self.left = MOST_STEPS

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise CannotEvaluate("more than 400,000 steps")


class Scope:
    """What names mean at one place. `roots` gives the value of a first name, such as `var`."""

    def __init__(
        self,
        roots: Callable[[str], Any],
        budget: Budget,
        local: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.roots, self.budget, self.local, self.files = roots, budget, dict(local or {}), files or {}

    def with_names(self, names: Mapping[str, Any]) -> Scope:
        return Scope(self.roots, self.budget, {**self.local, **names}, self.files)

    def name(self, name: str) -> Any:
        return self.local[name] if name in self.local else self.roots(name)


class Lazy:
    """Something whose parts are found by name when they are asked for, such as `var`, `module.app`, `aws_vpc`."""

    def __init__(self, what: str, get: Callable[[str], Any]) -> None:
        self.what, self.get = what, get


def attribute(value: Any, name: str) -> Any:
    """`value.name`.

    Raises:
        Wrong: there is none.
    """
    if isinstance(value, Lazy):
        return value.get(name)
    if isinstance(value, dict):
        if name not in value:
            raise Wrong(f"there is no attribute {name!r}")
        return value[name]
    found = reference(value)
    if found:  # an attribute of something that only an API knows
        return mark(found[0], f"{found[1]}.{name}")
    raise Wrong(f"{'null' if value is None else 'a value of this type'} has no attribute {name!r}")


def index(value: Any, key: Any) -> Any:
    """`value[key]`."""
    known(key, "an index")
    if isinstance(value, Lazy):
        return value.get(str(key))
    if isinstance(value, dict):
        return attribute(value, to_text(key, "an index"))
    if isinstance(value, Set):
        raise Wrong("items of a set have no index")
    found = reference(value)
    if found:
        return mark(found[0], f"{found[1]}.{key}")
    where, number = items(value, "an index"), int(to_number(key, "an index"))
    if not 0 <= number < len(where):
        raise Wrong(f"the index {number} is outside of a list of {len(where)}")
    return where[number]
