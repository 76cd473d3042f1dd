"""Random numbers that stay the same across Python and NumPy versions.

NumPy promises the stream of a bit generator, and the seeding of `SeedSequence`, but not what
`Generator.normal` makes of them. So only raw 64-bit words are drawn here, and every distribution is a table
indexed by sixteen of those bits (inverse-transform sampling at the 65,536 mid-points; Devroye, "Non-Uniform
Random Variate Generation", ch. II.2). A look-up is also several times faster than drawing a normal.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]
Array = TypeVar("Array", bound=npt.NDArray[Any])
Columns = dict[str, npt.NDArray[Any]]

LEVELS = 1 << 16
EXPONENTIAL_MEAN = 1 << 20  # `exponential_table` is in whole numbers with this mean


class Purpose(IntEnum):
    """What a stream is for. Each (seed, day, purpose) has its own stream, so using one never moves
    another."""

    POPULATION = 1
    ROWS = 2
    VOLUME = 3
    LABEL = 4
    LABEL_DELAY = 5
    LOOKUP = 6
    LATENCY = 7
    PLAN = 8
    FAULT = 16  # plus the number of the incident kind


def stream(seed: int, day: int, purpose: int) -> np.random.PCG64:
    """The bit generator of one purpose on one day of one world."""
    return np.random.PCG64(np.random.SeedSequence([seed, day, purpose]))


def sixteen_bits(source: np.random.PCG64, columns: int, rows: int) -> list[Bits]:
    """`columns` arrays of `rows` independent 16-bit integers (four to a raw word)."""
    words = -(-columns * rows // 4)
    bits = np.asarray(source.random_raw(words), dtype="<u8").view("<u2")
    return [bits[i * rows : (i + 1) * rows] for i in range(columns)]


def uniforms(source: np.random.PCG64, rows: int) -> Floats:
    """`rows` numbers in [0, 1) with 53 random bits each."""
    raw = np.asarray(source.random_raw(rows), dtype=np.uint64)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


@lru_cache(maxsize=1)
def normal_table() -> Floats:
    """Standard normal quantiles at (i + ½) / 65,536; lies within ±4.33."""
    inverse = NormalDist().inv_cdf
    upper = np.array([inverse((i + 0.5) / LEVELS) for i in range(LEVELS // 2, LEVELS)])
    return _frozen(np.concatenate([-upper[::-1], upper]))


@lru_cache(maxsize=1)
def exponential_table() -> Ints:
    """Exponential quantiles, mean 2**20, as whole numbers: sums of them are exact in any order."""
    quantiles = -np.log1p(-(np.arange(LEVELS) + 0.5) / LEVELS)
    return _frozen(np.rint(quantiles * EXPONENTIAL_MEAN).astype(np.int64))


@lru_cache(maxsize=16)
def lognormal_table(median: float, sigma: float) -> Floats:
    """Log-normal quantiles: `median * exp(sigma * z)`."""
    return _frozen(median * np.exp(sigma * normal_table()))


def choice_table(weights: tuple[float, ...]) -> npt.NDArray[np.int8]:
    """65,536 codes in which code `i` takes its share of `weights`; index it with 16 random bits."""
    total = sum(weights)
    edges = [0]
    for weight in weights:
        edges.append(edges[-1] + round(weight / total * LEVELS))
    edges[-1] = LEVELS
    return np.repeat(np.arange(len(weights), dtype=np.int8), np.diff(edges))


def share(bits: Bits, fraction: float) -> Bools:
    """True for about `fraction` of the rows."""
    return np.asarray(bits < round(fraction * LEVELS))


def scatter(values: Ints, key: int) -> Ints:
    """A bijection on the integers below 2**53: distinct in, distinct out, in no visible order.

    Below 2**53 because an id must live through JSON, JavaScript and a float64 column unharmed.
    """
    mask = np.uint64((1 << 53) - 1)
    mixed = (values.astype(np.uint64) + np.uint64(key & 0xFFFFFFFF)) & mask
    for multiplier in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9):
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(multiplier)  # odd, so it has an inverse modulo 2**53
        mixed &= mask
    mixed ^= mixed >> np.uint64(27)
    return mixed.astype(np.int64)


def pair_bits(values: Ints, key: int) -> Bits:
    """Sixteen bits which depend on each value and on `key` only (the same pair always gives the same
    bits)."""
    # SeedSequence would be too slow for each row: this is the splitmix64 finaliser (Steele et al., 2014).
    mixed = values.astype(np.uint64) + np.uint64((key * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(48)).astype(np.uint16)


def _frozen(array: Array) -> Array:
    array.flags.writeable = False  # cached tables are shared
    return array
