"""Checks that the constructors of families share: each error states the rule and the value."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.arrays import check_weights, finite_array, is_exact, symmetric_matrix

__all__ = [
    "check_batches",
    "check_weights",
    "finite_array",
    "is_exact",
    "law_of",
    "symmetric_matrix",
]


def law_of(law: type, size: int) -> object:
    """Return the law of a class that needs the number of batches alone, such as Reshuffled.

    Raises
    ------
    TypeError
        If the class needs other arguments, as MarkovModulated does.
    """
    try:
        return law(size)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"law={law.__name__} cannot be made of the number of batches {size} alone: pass law={law.__name__}(…)"
        ) from error


def check_batches(batches: Iterable[ArrayLike], rows: int) -> NDArray:
    """Return batches as row numbers (count, b); ValueError unless they have one length and name existing rows."""
    listed = [np.asarray(b) for b in batches]
    if not listed:
        raise ValueError("there must be at least one batch, got none")
    sizes = {b.shape for b in listed}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1 or next(iter(sizes)) == (0,):
        raise ValueError(f"batches must be non-empty lists of rows of equal length, got shapes {sorted(sizes)}")
    stacked = np.stack(listed)
    if stacked.dtype.kind not in "iu" or stacked.min() < 0 or stacked.max() >= rows:
        raise ValueError(f"batches hold row numbers 0 … {rows - 1}, got {stacked.min()} … {stacked.max()}")
    return stacked
