"""Derived bounds on rounding in floating point; this project uses no tuned tolerances.

`round_up` rounds every bound outwards. u = 2^-53 is the unit roundoff of float64, and gamma(n) = n u /
(1 - n u) bounds the relative error of n operations (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
Section 3.1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from contraction.types import Numbers

__all__ = ["EPS", "UNIT", "gamma", "iterate_rounding", "round_down", "round_up"]

UNIT = 2.0**-53  # largest relative error of one rounded operation
EPS = 2.0**-52  # distance from 1 to the next float


def round_up(x: ArrayLike, operations: float = 0) -> Numbers:
    """Round outwards, so that a computed number becomes an upper bound of the real number.

    Parameters
    ----------
    x : float or array_like
        Computed numbers.
    operations : float
        Number of rounded operations that produced each of them, each with a relative error of 2^-52 (default: 0).

    Returns
    -------
    float or ndarray
        x + operations * 2^-52 * |x|, plus one unit in the last place; exact zeros stay zero.

    Examples
    --------
    >>> float(round_up(1.0)) - 1.0 == EPS, float(round_up(0.0, 8))
    (True, 0.0)
    """
    x = np.asarray(x, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        larger = np.nextafter(x + np.abs(x) * (operations * EPS), np.inf)
    return np.where(x == 0, 0.0, larger)[()]


def round_down(x: float) -> float:
    """Return the next smaller float: 1 - k is rounded down before it divides."""
    return math.nextafter(x, -math.inf)


def gamma(n: float, unit: float = UNIT) -> float:
    """gamma(n) = n u / (1 - n u), the relative error of n rounded operations (u = ``unit``, default: float64's)."""
    if n * unit >= 1:
        raise ValueError(f"gamma(n) needs n u < 1, got n = {n}, u = {unit}")
    return n * unit / (1 - n * unit)


def iterate_rounding(k: float, n: int, scale: float, operations: int) -> float:
    """Bound on the rounding error of n maps of factor k applied to points of norm at most ``scale``.

    Each map adds an error of at most gamma(operations) * scale, which all maps applied after it contract. The sum is
    gamma(operations) * scale * (1 + k + … + k^(n-1)).
    """
    terms = float(n) if k >= 1 else min(float(n), 1.0 / (1.0 - k))
    growth = 1.0 if k <= 1 else k**n
    return gamma(operations) * scale * terms * growth
