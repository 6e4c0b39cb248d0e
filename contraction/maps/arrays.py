"""Checks of arguments that are arrays: numbers, matrices, probabilities. Each error states the rule and the value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite
from contraction.maps.rounding import EPS
from contraction.types import Number

__all__ = ["check_weights", "finite_array", "is_exact", "numbers", "square_matrices", "symmetric_matrix"]

# A square matrix counts as symmetric if its two halves agree to this many units in the last place.
SYMMETRY_ULPS = 8


def numbers(name: str, value: ArrayLike) -> NDArray:
    """Return a new float array of any shape; ValueError if an entry is not a real number. NaN and inf pass.

    Raises
    ------
    ValueError
        If the value is not an array of real numbers.

    Examples
    --------
    >>> numbers("draws", "abc")
    Traceback (most recent call last):
    ...
    ValueError: draws must be an array of numbers, got 'abc'
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind in "USc":
            raise ValueError
        return np.array(array, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be an array of numbers, got {value!r}") from None


def finite_array(name: str, value: ArrayLike, shape: Sequence[int | None]) -> NDArray:
    """Return a float array of the given shape (None: any length of at least 1) with finite entries."""
    array = numbers(name, value)
    wanted = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
    fits = array.ndim == len(shape) and all(s in (None, n) and n > 0 for s, n in zip(shape, array.shape, strict=True))
    if not fits:
        raise ValueError(f"{name} must have shape {wanted}, got shape {array.shape}")
    if not np.all(np.isfinite(array)):
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must have finite entries, got {float(array[at])!r} at {at}")
    return array


def square_matrices(name: str, value: Iterable[ArrayLike]) -> list[NDArray]:
    """Return one or more finite square matrices of one size; a number is a matrix of one row.

    Raises
    ------
    ValueError
        If ``value`` is empty, the sizes differ, or a matrix is not square or has an entry that is not finite.

    Examples
    --------
    >>> square_matrices("matrices", [[[1.0, 2.0]]])
    Traceback (most recent call last):
    ...
    ValueError: matrices must be square matrices of one size, got the shapes (1, 2)
    """
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise ValueError(f"{name} must be a list of square matrices, got {value!r}")
    found = [numbers(f"each of the {name}", A) for A in value]
    if not found:
        raise ValueError(f"there must be at least one matrix in {name}, got none")
    found = [A.reshape(1, 1) if A.ndim == 0 else A for A in found]
    shapes = sorted({A.shape for A in found})
    if len(shapes) > 1 or len(shapes[0]) != 2 or shapes[0][0] != shapes[0][1] or not shapes[0][0]:
        listed = ", ".join(str(shape) for shape in shapes)
        raise ValueError(f"{name} must be square matrices of one size, got the shapes {listed}")
    return [finite_array(f"each of the {name}", A, A.shape) for A in found]


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


def objects(x: object) -> NDArray:
    """Return an array of objects; NumPy's integers become Python's, which do not wrap around."""
    array = np.array(x, dtype=object)
    for index, value in np.ndenumerate(array):
        if isinstance(value, np.integer):
            array[index] = int(value)
    return array


def is_exact(value: object) -> bool:
    """Whether a number is an integer or a Fraction (arithmetic on it has no rounding)."""
    return isinstance(value, int | Fraction | np.integer) and not isinstance(value, bool)


def check_weights(
    weights: Iterable[Number] | None, count: int | None, name: str = "weights", of: str = "map"
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
            raise ValueError(f"a finite family needs at least one {of}, got none")
        return (Fraction(1, count),) * count
    if not isinstance(weights, Iterable) or isinstance(weights, str | bytes):
        raise ValueError(f"{name} must be a list of numbers, got {weights!r}")
    values = list(weights)
    if not values:
        raise ValueError(f"{name} must not be empty")
    if count is not None and len(values) != count:
        plural = "matrices" if of == "matrix" else f"{of}s"
        raise ValueError(f"{name} must have one entry per {of}, got {len(values)} for {count} {plural}")
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
