"""Two measures of change: PSI for the shape of a column, the z-score for one number a day."""

from __future__ import annotations

import numpy.typing as npt


def psi(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """How far `current` has moved from `reference`: 0 is not at all. The contract has the exact definition."""
    raise NotImplementedError("psi")


def z_score(history: npt.ArrayLike, today: float) -> float:
    """How many standard deviations `today` lies from the mean of `history`, one value a day."""
    raise NotImplementedError("z_score")
