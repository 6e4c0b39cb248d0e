"""Intervals over independent replicates (NumPy and SciPy)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Interval", "mean_interval", "median_interval", "share_bounds"]

#: Value, lower end, upper end.
Interval = tuple[float, float, float]


def share_bounds(count: int, total: int, confidence: float) -> tuple[float, float]:
    """Return the exact one-sided lower and upper bounds of a probability (Clopper and Pearson).

    Each bound by itself is wrong with probability at most 1 − confidence.

    Examples
    --------
    >>> [round(float(bound), 3) for bound in share_bounds(0, 11, 0.95)]
    [0.0, 0.238]
    """
    tail = 1 - confidence
    lower = float(special.betaincinv(count, total - count + 1, tail)) if count else 0.0
    upper = float(special.betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return lower, upper


def median_interval(values: NDArray, confidence: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return the median over the first axis with its distribution-free interval from order statistics.

    The ends are −inf and inf where there are too few values for the level. NaN counts as larger than everything.

    Parameters
    ----------
    values
        (R, …), R independent draws.
    confidence
        The level, two-sided.

    Examples
    --------
    >>> [float(v) for v in median_interval(np.arange(1.0, 12.0), 0.95)]
    [6.0, 2.0, 10.0]
    """
    ordered, total = np.sort(np.where(np.isnan(values), np.inf, values), axis=0), len(values)
    below = special.bdtr(np.arange(total), total, 0.5)  # P(Bin ≤ 0), P(Bin ≤ 1), …
    rank = int(np.sum(below <= (1 - confidence) / 2))
    shape = ordered.shape[1:]
    lower = ordered[rank - 1] if rank >= 1 else np.full(shape, -np.inf)
    upper = ordered[total - rank] if rank >= 1 else np.full(shape, np.inf)
    middle = ordered[[(total - 1) // 2, total // 2]].mean(axis=0)
    return middle, lower, upper


def mean_interval(values: NDArray, confidence: float) -> Interval:
    """Return the mean of (R,) values with Student's two-sided interval, whose level is asymptotic in R.

    Examples
    --------
    >>> mean_interval(np.array([1.0, 1.0, 1.0]), 0.95)
    (1.0, 1.0, 1.0)
    """
    mean = float(np.mean(values))
    if len(values) < 2 or not math.isfinite(mean):
        return mean, -math.inf, math.inf
    half = float(special.stdtrit(len(values) - 1, 0.5 + confidence / 2)) * float(np.std(values, ddof=1))
    half /= math.sqrt(len(values))
    return mean, mean - half, mean + half
