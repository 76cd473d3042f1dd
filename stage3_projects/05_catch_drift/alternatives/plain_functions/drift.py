"""PSI and the z-score with NumPy and the standard library."""

import math
import statistics

import numpy as np


def is_text(column):
    return np.asarray(column).dtype.kind in "OU"


def is_null(column):
    values = np.asarray(column)
    return (
        np.array([v is None or v != v for v in values.tolist()])
        if values.dtype.kind in "OU"
        else np.isnan(values)
    )


def _numbers(column):
    return np.asarray(column, dtype=float)


def ruler(reference):
    """A function that counts any sample into the bins which `reference` defines."""
    if is_text(reference):
        names = {
            name: place for place, name in enumerate(sorted(set(np.asarray(reference)[~is_null(reference)])))
        }

        def count(sample):
            rows = zip(np.asarray(sample).tolist(), is_null(sample).tolist(), strict=True)
            places = [len(names) + 1 if null else names.get(value, len(names)) for value, null in rows]
            return np.bincount(places, minlength=len(names) + 2)

        return count
    known = _numbers(reference)
    edges = sorted(
        {float(edge) for edge in np.quantile(known[~np.isnan(known)], [k / 10 for k in range(1, 10)])}
    )

    def count(sample):
        values = _numbers(sample)
        null = np.isnan(values)
        places = np.digitize(values[~null], edges, right=True)
        return np.append(np.bincount(places, minlength=len(edges) + 1), null.sum())

    return count


def psi(reference, current):
    count = ruler(reference)
    r, c = ((n + 0.5) / (n.sum() + 0.5 * len(n)) for n in (count(reference), count(current)))
    return float(((c - r) * np.log(c / r)).sum())


def z_score(history, today):
    days = [float(value) for value in history if not math.isnan(value)]
    if len(days) < 2:
        return math.nan
    if len(set(days)) > 1:
        return (today - statistics.fmean(days)) / statistics.stdev(days)
    return math.copysign(math.inf, today - days[0]) if today != days[0] else 0.0
