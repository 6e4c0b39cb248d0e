"""Error rates and exact tests of the statistical statements (calibrated at fixed n, never stopped early)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from contraction.statements.records import Verdict

__all__ = [
    "FALSE_ALARM",
    "Part",
    "binomial_miss",
    "binomial_range",
    "chi_square_miss",
    "chi_square_range",
    "count_miss",
    "count_range",
    "deviation",
    "distance_to",
    "off",
    "statistical",
]

#: A named part of a statistical check: a statistic, and the threshold that it exceeds with a stated probability.
Part = tuple[str, float, float]

FALSE_ALARM = 1e-9  # chance that one statistical check of a true statement fails


def chi_square_range(n: int, alpha: float = FALSE_ALARM) -> tuple[float, float]:
    """Two-sided range of sum(z²)/n for n independent standard normal z, left with probability alpha."""
    return float(stats.chi2.ppf(alpha / 2, n) / n), float(stats.chi2.isf(alpha / 2, n) / n)


def chi_square_miss(n: int, ratio: float, alpha: float = FALSE_ALARM) -> float:
    """Chance that values whose variance is ``ratio`` times the claimed one stay in that range."""
    low, high = chi_square_range(n, alpha)
    return float(stats.chi2.cdf(n * high / ratio, n) - stats.chi2.cdf(n * low / ratio, n))


def binomial_range(n: int, p: float, alpha: float = FALSE_ALARM) -> tuple[float, float]:
    """Two-sided range of the share of n independent events of probability p, left with probability at most alpha."""
    return float(stats.binom.ppf(alpha / 2, n, p) / n), float(stats.binom.isf(alpha / 2, n, p) / n)


def binomial_miss(n: int, p: float, other: float, alpha: float = FALSE_ALARM) -> float:
    """Chance that events of probability ``other`` stay in the range of p."""
    low, high = (round(n * x) for x in binomial_range(n, p, alpha))
    return float(stats.binom.cdf(high, n, other) - stats.binom.cdf(low - 1, n, other))


def _chernoff(ratio: float) -> float:
    """-log of the bound on P(X >= ratio·mean) (<= below 1), for a sum X of independent indicators, over the mean."""
    return ratio * math.log(ratio) - ratio + 1 if ratio > 0 else 1.0


def count_range(mean: float, alpha: float = FALSE_ALARM) -> tuple[float, float]:
    """Two-sided range of a sum of independent indicators, left with probability at most alpha (Chernoff's bound)."""
    level = math.log(2 / alpha) / mean
    high = optimize.bisect(lambda x: _chernoff(x) - level, 1.0, 3 + 3 * level)
    low = 0.0 if level >= 1 else optimize.bisect(lambda x: _chernoff(x) - level, 0.0, 1.0)
    return mean * low, mean * high  # type: ignore[operator]  # bisect without full_output returns a float


def count_miss(mean: float, other: float, alpha: float = FALSE_ALARM) -> float:
    """Bound on the chance that a sum with the mean ``other`` stays in the range of ``mean`` (1 if it says nothing)."""
    low, high = count_range(mean, alpha)
    near = high if other > high else low if other < low else other
    return math.exp(-other * _chernoff(near / other))


def off(value: float, center: float, low: float, high: float) -> float:
    """How far a value is from the center, in units of the way to the end of its range: above 1 iff outside."""
    return (value - center) / (high - center) if value >= center else (center - value) / (center - low)


def statistical(statement: str, rows: tuple[int, ...], parts: Sequence[Part], **extra) -> Verdict:
    """Return the verdict on several statistics: it holds if each is at most its threshold, and names the worst."""
    name, measured, claimed = max(parts, key=lambda part: part[1] / part[2] if part[2] > 0 else math.inf)
    holds = all(statistic <= threshold for _, statistic, threshold in parts)
    return Verdict(statement, rows, "statistical", holds, measured, claimed, part=name, **extra)


def deviation(n: int, alpha: float = FALSE_ALARM) -> float:
    """Return sqrt(log(2/alpha)/(2n)), a distance that is exceeded with probability at most alpha.

    It is the distance of a mean of n independent values in [0, 1] to its expectation, or of an empirical distribution
    function to the true one in sup norm (Dvoretzky, Kiefer, Wolfowitz, Massart).
    """
    return math.sqrt(math.log(2 / alpha) / (2 * n))


def distance_to(sample: ArrayLike, cdf) -> float:
    """Return sup |F_n - F| of a sample against a continuous distribution function."""
    values = np.sort(np.asarray(sample, dtype=float).ravel())
    F, n = cdf(values), len(values)
    return float(max(np.max(np.arange(1, n + 1) / n - F), np.max(F - np.arange(n) / n)))
