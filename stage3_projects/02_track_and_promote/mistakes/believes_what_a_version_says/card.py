"""The model card: what a person must know of a model before it decides about money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

WORDS = ("owner", "intended_use", "not_for", "limitations")
FACTS = ("model", "data_sha256", "features", "threshold", "metrics")


def problems(card: Any, facts: Mapping[str, Any]) -> list[str]:
    """A reason for every field that is missing, empty, or not what `facts` say; none for a good card."""
    if not isinstance(card, Mapping):
        return ["card"]
    empty = [name for name in WORDS if not isinstance(card.get(name), str) or not card[name].strip()]
    false = [name for name in FACTS if name not in card]
    return [f"card.{name}" for name in (*empty, *false)]


def agrees(said: Any, true: Any) -> bool:
    """Whether a card's value is the true one; numbers to within 1e-9."""
    if isinstance(true, Mapping):
        return (
            isinstance(said, Mapping)
            and set(said) == set(true)
            and all(agrees(said[k], true[k]) for k in true)
        )
    if isinstance(true, float):
        is_number = isinstance(said, int | float) and not isinstance(said, bool)
        return is_number and math.isclose(said, true, rel_tol=0, abs_tol=1e-9)
    return type(said) is type(true) and bool(said == true)
