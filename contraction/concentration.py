"""Deviation bounds for the mean of independent draws from a bounded support: Hoeffding's and the empirical Bernstein.

Certificates and calibrated tests both use these two inequalities.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["empirical_bernstein", "hoeffding"]


def hoeffding(n: int, width: float, error: float) -> float:
    """Deviation that the mean of n draws exceeds, on one side, with probability at most ``error``.

    Parameters
    ----------
    n
        Number of independent draws.
    width
        Length of an interval that contains every draw.
    error
        The probability, in (0, 1).

    Returns
    -------
    float
        width · √(log(1/error) / (2n)) (Hoeffding, 1963).

    Examples
    --------
    >>> round(hoeffding(100, 1.0, 0.01), 4)
    0.1517
    """
    return width * math.sqrt(math.log(1 / error) / (2 * n))


def empirical_bernstein(values: NDArray, width: float, error: float) -> float:
    """Deviation as in `hoeffding`, from the variance of the draws: narrower where that is small.

    Parameters
    ----------
    values
        At least two independent draws, shape (n,).
    width
        Length of an interval that contains every draw.
    error
        The probability, in (0, 1).

    Returns
    -------
    float
        √(2 V log(2/error) / n) + 7 width log(2/error) / (3 (n - 1)), with V the variance of the draws with divisor
        n - 1 (Maurer and Pontil, 2009, Theorem 4).

    Examples
    --------
    >>> round(empirical_bernstein(np.full(100, 0.5), 1.0, 0.01), 4)  # no variance: the second term alone
    0.1249
    """
    n, log_term = len(values), math.log(2 / error)
    return math.sqrt(2 * float(np.var(values, ddof=1)) * log_term / n) + 7 * width * log_term / (3 * (n - 1))
