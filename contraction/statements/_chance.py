"""Error rates and exact tests of the statistical statements (calibrated at fixed n, never stopped early)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["FALSE_ALARM", "chi_square_miss", "chi_square_range", "deviation", "distance_to"]

FALSE_ALARM = 1e-9  # chance that one statistical check of a true statement fails


def chi_square_range(n: int, alpha: float = FALSE_ALARM) -> tuple[float, float]:
    """Two-sided range of sum(z²)/n for n independent standard normal z, left with probability alpha."""
    return float(stats.chi2.ppf(alpha / 2, n) / n), float(stats.chi2.isf(alpha / 2, n) / n)


def chi_square_miss(n: int, ratio: float, alpha: float = FALSE_ALARM) -> float:
    """Chance that values whose variance is ``ratio`` times the claimed one stay in that range."""
    low, high = chi_square_range(n, alpha)
    return float(stats.chi2.cdf(n * high / ratio, n) - stats.chi2.cdf(n * low / ratio, n))


def deviation(n: int, alpha: float = FALSE_ALARM) -> float:
    """sqrt(log(2/alpha)/(2n)): a mean of n independent values in [0, 1] is farther from its expectation, or an
    empirical distribution function from the true one in sup norm (Dvoretzky, Kiefer, Wolfowitz, Massart), with
    probability at most alpha.
    """
    return math.sqrt(math.log(2 / alpha) / (2 * n))


def distance_to(sample: ArrayLike, cdf) -> float:
    """sup |F_n - F| of a sample against a continuous distribution function."""
    values = np.sort(np.asarray(sample, dtype=float).ravel())
    F, n = cdf(values), len(values)
    return float(max(np.max(np.arange(1, n + 1) / n - F), np.max(F - np.arange(n) / n)))
