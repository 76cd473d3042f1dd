"""Two measures of change: PSI for the shape of a column, the z-score for one number a day."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

DECILES = np.arange(1, 10) / 10
SMOOTHING = 0.5  # rows added to each bin, so that an empty bin has a logarithm

Counts = npt.NDArray[np.int64]


def is_text(values: npt.ArrayLike) -> bool:
    """Whether a column holds text. Numbers, booleans and times are numeric."""
    return (
        getattr(values, "dtype", np.asarray(values).dtype).kind in "OUST"
    )  # pandas calls categories "O" as well


@dataclass(frozen=True)
class Bins:
    """Bins that a reference defines, and into which every later sample is counted.

    Numbers: right-closed intervals between the deciles (equal ones once), open to both sides. Text: one bin for
    each value of the reference, then one for all others. The last bin, always, is for nulls: a null is something
    that happened, not nothing.
    """

    edges: npt.NDArray[np.float64] | None
    known: pd.Index | None

    @staticmethod
    def of(reference: npt.ArrayLike) -> Bins:
        if is_text(reference):
            codes, values = pd.factorize(reference)
            return Bins(None, pd.Index(sorted(values.take(np.unique(codes[codes >= 0])))))
        numbers = np.asarray(reference, dtype=np.float64)
        numbers = numbers[~np.isnan(numbers)]
        return Bins(np.unique(np.quantile(numbers, DECILES)) if numbers.size else np.empty(0), None)

    @property
    def labels(self) -> list[str]:
        """What a person calls each bin."""
        if self.known is not None:
            return [*map(str, self.known), "(other)", "(null)"]
        assert self.edges is not None
        ends = [f"{edge:,.4g}" for edge in self.edges]
        between = [f"{low} to {high}" for low, high in pairwise(ends)]
        return [f"up to {ends[0]}", *between, f"over {ends[-1]}", "(null)"] if ends else ["any", "(null)"]

    def positions(self, sample: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The bin of each row."""
        if self.known is not None:
            codes, values = pd.factorize(sample)
            bin_of_value = self.known.get_indexer(values)
            bin_of_value[bin_of_value < 0] = len(self.known)
            null, position = codes < 0, np.append(bin_of_value, 0)[codes]
            last = len(self.known)
        else:
            assert self.edges is not None
            numbers = np.asarray(sample, dtype=np.float64)
            null, position = np.isnan(numbers), np.searchsorted(self.edges, numbers, side="left")
            last = len(self.edges)
        return position[~null]

    def counts(self, sample: npt.ArrayLike) -> Counts:
        """Rows in each bin."""
        return np.bincount(self.positions(sample), minlength=len(self.labels))


def psi_of_counts(reference: Counts, current: Counts) -> float:
    """Population stability index, in nats, of two samples counted into the same bins."""
    before = (reference + SMOOTHING) / (reference.sum() + SMOOTHING * reference.size)
    after = (current + SMOOTHING) / (current.sum() + SMOOTHING * current.size)
    return float(np.sum((after - before) * np.log(after / before)))


def psi(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """How far `current` has moved from `reference`: 0 is not at all (Siddiqi, "Credit Risk Scorecards").

    The bins come from the reference alone; nulls and values never seen before have bins of their own.
    """
    bins = Bins.of(reference)
    return psi_of_counts(bins.counts(reference), bins.counts(current))


def z_score(history: npt.ArrayLike, today: float) -> float:
    """How many standard deviations (n - 1) `today` lies from the mean of `history`, one value a day.

    Days that are NaN are left out; NaN with fewer than two days. Without any spread: 0.0 for the usual value,
    else infinity with the sign of the change.
    """
    days = np.asarray(history, dtype=np.float64)
    days = days[~np.isnan(days)]
    if days.size < 2:
        return float("nan")
    if np.ptp(days) == 0:  # the standard deviation may be a rounding error here, and the mean be off by one
        return 0.0 if today == days[0] else float(np.copysign(np.inf, today - days[0]))
    return float((today - days.mean()) / days.std(ddof=1))
