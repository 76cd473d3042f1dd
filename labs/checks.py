"""What a check file imports: `from labs.checks import check`. docs/lab-anatomy.md says how checks are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from labs.grading.compare import close, same, show
from labs.grading.documents import Document
from labs.grading.evidence import Answer, CouldNotCheck, Finished, Reply
from labs.grading.handle import Work
from labs.grading.load import Load
from labs.grading.process import Process
from labs.grading.service import Service

__all__ = [
    "Answer",
    "CouldNotCheck",
    "Document",
    "Finished",
    "Load",
    "Process",
    "Reply",
    "Service",
    "Work",
    "check",
    "close",
    "same",
    "show",
]

Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Spec:
    """What `@check` says about a function."""

    points: int
    after: tuple[str, ...]
    when: tuple[str, ...]
    needs: tuple[str, ...]


Others = Callable[..., None] | Iterable[Callable[..., None]]


def check(
    *, points: int, after: Others = (), when: Others = (), needs: Iterable[str] = ()
) -> Callable[[Function], Function]:
    """Mark a function as a check worth `points`; see docs/lab-anatomy.md.

    Both `after` and `when` name checks that must have passed. What those in `after` left in session fixtures is there;
    those in `when` may have run beside this process.
    """
    if points < 1:
        raise ValueError("a check is worth at least one point")

    def mark(function: Function) -> Function:
        if not (function.__doc__ or "").strip():
            raise ValueError(f"{function.__name__}: a check needs a docstring, its first line is the title")
        spec = Spec(points, _names(after), _names(when), tuple(needs))
        function.__lab_check__ = spec  # type: ignore[attr-defined]
        return function

    return mark


def _names(others: Others) -> tuple[str, ...]:
    several = (others,) if callable(others) else tuple(others)
    return tuple(other.__name__ for other in several)


def spec_of(thing: Any) -> Spec | None:
    spec = getattr(thing, "__lab_check__", None)
    return spec if isinstance(spec, Spec) else None
