"""Tests of stated means that hold for every law, by non-negative supermartingales and Ville's inequality.

For independent Z_i >= 0 with E Z_i <= m, the product of 1 + c (Z_i/m - 1) is a non-negative supermartingale for every
c in [0, 1]: its mean over a few c exceeds 1/alpha with probability at most alpha. For a mean m and a variance of at
most v, so is the product of (1 + x + x²/2) / (1 + c² v/2) at x = c (X_i - m), for every c.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["differs", "exceeds"]

BETS = (0.01, 0.03, 0.1, 0.3, 0.9)


def exceeds(values: NDArray, mean: float, alpha: float) -> bool:
    """Whether non-negative independent values refute a bound on their mean, at level alpha.

    Examples
    --------
    >>> values = np.random.default_rng(0).uniform(0, 2, 1000)  # of mean 1
    >>> exceeds(values, 1.0, 1e-9), exceeds(values, 0.7, 1e-9)
    (False, True)
    """
    if mean == 0:
        return bool(np.any(values > 0))
    if not np.isfinite(mean):
        return False
    with np.errstate(over="ignore", divide="ignore"):
        logs = [float(np.sum(np.log1p(c * (values / mean - 1)))) for c in BETS]
    return max(logs) > math.log(len(BETS) / alpha)


def differs(values: NDArray, mean: float, variance: float, alpha: float) -> bool:
    """Whether independent values refute a mean, if their variance is at most the given one, at level alpha.

    Examples
    --------
    >>> values = np.random.default_rng(0).standard_normal(4000)
    >>> differs(values, 0.0, 1.0, 1e-9), differs(values, 0.3, 1.0, 1e-9)
    (False, True)
    """
    if not math.isfinite(variance):
        return False
    if variance == 0:
        return bool(np.any(values != mean))
    bets = [sign * c / math.sqrt(variance) for sign in (-1.0, 1.0) for c in BETS]
    with np.errstate(over="ignore"):
        logs = []
        for c in bets:
            x = c * (values - mean)
            logs.append(float(np.sum(np.log1p(x + x * x / 2))) - len(values) * math.log1p(c * c * variance / 2))
    return max(logs) > math.log(len(bets) / alpha)
