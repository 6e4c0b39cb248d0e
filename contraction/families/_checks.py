"""Checks that the constructors of families share: each error states the rule and the value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite
from contraction.maps.rounding import EPS
from contraction.types import Number

__all__ = [
    "check_batches",
    "check_weights",
    "finite_array",
    "is_exact",
    "symmetric_matrix",
]

# A square matrix counts as symmetric if its two halves agree to this many units in the last place.
SYMMETRY_ULPS = 8


def finite_array(name: str, value: ArrayLike, shape: Sequence[int | None]) -> NDArray:
    """Return a float array of the given shape (None: any length of at least 1) with finite entries."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of numbers, got {value!r}") from None
    wanted = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
    fits = array.ndim == len(shape) and all(s in (None, n) and n > 0 for s, n in zip(shape, array.shape, strict=True))
    if not fits:
        raise ValueError(f"{name} must have shape {wanted}, got shape {array.shape}")
    if not np.all(np.isfinite(array)):
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must have finite entries, got {float(array[at])!r} at {at}")
    return array


def symmetric_matrix(name: str, value: ArrayLike, dim: int | None = None) -> NDArray:
    """Return a symmetric matrix; its two halves are made equal if they differ only by rounding."""
    matrix = finite_array(name, value, (dim, dim))
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {matrix.shape}")
    gap = np.abs(matrix - matrix.T)
    if np.any(gap > SYMMETRY_ULPS * EPS * np.max(np.abs(matrix))):
        i, j = (int(k) for k in np.unravel_index(int(np.argmax(gap)), gap.shape))
        raise ValueError(
            f"{name} must be symmetric, got {float(matrix[i, j])!r} at ({i}, {j}) and "
            f"{float(matrix[j, i])!r} at ({j}, {i})"
        )
    return (matrix + matrix.T) / 2


def is_exact(value: object) -> bool:
    """Whether a number is an integer or a Fraction (arithmetic on it has no rounding)."""
    return isinstance(value, int | Fraction | np.integer) and not isinstance(value, bool)


def check_weights(
    weights: Iterable[Number] | None, count: int | None, name: str = "weights"
) -> tuple[Fraction | float, ...]:
    """Return probabilities that sum to one: Fractions if all are exact, floats otherwise; None means equal weights.

    Raises
    ------
    ValueError
        If there are no weights, one is negative or NaN, their number is not ``count``, or they do not sum to one
        (exactly for integers and Fractions, up to rounding for floats).
    """
    if weights is None:
        if not count:
            raise ValueError("a finite family needs at least one map, got none")
        return (Fraction(1, count),) * count
    values = list(weights)
    if not values:
        raise ValueError(f"{name} must not be empty")
    if count is not None and len(values) != count:
        raise ValueError(f"{name} must have one entry per map, got {len(values)} for {count} maps")
    if all(is_exact(w) for w in values):
        exact = tuple(Fraction(int(w)) if not isinstance(w, Fraction) else w for w in values)
    else:
        exact = tuple(check_finite(f"each of the {name}", w) for w in values)
    if any(w < 0 for w in exact):
        raise ValueError(f"{name} must be >= 0, got {min(exact)!r}")
    total = sum(exact) if isinstance(exact[0], Fraction) else math.fsum(exact)
    slack = 0 if isinstance(total, Fraction | int) else len(values) * EPS
    if abs(total - 1) > slack:
        raise ValueError(f"{name} must sum to one, got {values!r} with sum {total}")
    return exact


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
