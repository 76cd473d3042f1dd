"""What a serving process asks: `decide(rows)`, by the champion, with its own threshold and its own columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def decide(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score payments with the champion: `version`, `threshold`, `scores` and `block`, all of one version.

    Raises:
        LookupError: there is no champion.
    """
    raise NotImplementedError("decide")
