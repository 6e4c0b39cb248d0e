"""How letters are drawn and their probabilities compared, for all laws of the index word."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.draws import sub_sequence
from contraction.maps.rounding import gamma
from contraction.types import Number

__all__ = ["choose", "cumulative_of", "dtype_of", "same", "sequence_generator"]


def same(p: Number, q: Number, n: int) -> bool:
    """Return whether two probabilities are equal: exact ones exactly, floats up to 4n + 4 roundings."""
    if isinstance(p, Fraction) and isinstance(q, Fraction | int):
        return p == q
    return abs(p - q) <= gamma(4 * n + 4) * max(p, q)


def sequence_generator(seed: int, purpose: int, *key: int) -> np.random.Generator:
    """Return a generator for choices that a whole word shares, separate from those of single maps."""
    return np.random.Generator(np.random.PCG64(sub_sequence(seed, "word", purpose, *key)))


def dtype_of(size: int) -> type:
    """Return the dtype of letters 0 … size-1."""
    return np.uint8 if size <= 256 else np.int64


def choose(cumulative: NDArray, u: NDArray | float) -> NDArray:
    """Return letters with the given cumulative probabilities (..., M): the number of thresholds at or below u."""
    return np.sum(np.asarray(u)[..., None] >= cumulative[..., :-1], axis=-1)


def cumulative_of(weights: Sequence[Number]) -> NDArray:
    """Return cumulative probabilities such that rounding never makes a letter of probability zero possible."""
    total = np.cumsum(np.array([float(w) for w in weights]))
    last = max(i for i, w in enumerate(weights) if w > 0)
    total[last:] = np.inf
    return total
