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
    needs: tuple[str, ...]


def check(
    *, points: int, after: Callable[..., None] | Iterable[Callable[..., None]] = (), needs: Iterable[str] = ()
) -> Callable[[Function], Function]:
    """Mark a function as a check worth `points`; see docs/lab-anatomy.md."""
    if points < 1:
        raise ValueError("a check is worth at least one point")
    before = (after,) if callable(after) else tuple(after)

    def mark(function: Function) -> Function:
        if not (function.__doc__ or "").strip():
            raise ValueError(f"{function.__name__}: a check needs a docstring, its first line is the title")
        names = tuple(other.__name__ for other in before)
        function.__lab_check__ = Spec(points, names, tuple(needs))  # type: ignore[attr-defined]
        return function

    return mark


def spec_of(thing: Any) -> Spec | None:
    spec = getattr(thing, "__lab_check__", None)
    return spec if isinstance(spec, Spec) else None
