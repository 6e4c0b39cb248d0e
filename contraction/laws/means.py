"""Calibrated tests of a mean over a bounded support: Hoeffding's inequality, or the empirical Bernstein bound."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from contraction.arguments import check_finite, check_positive
from contraction.concentration import empirical_bernstein, hoeffding
from contraction.laws.calibrated import CalibratedResult, Rates, _sample, check_rates

__all__ = ["mean_sample_size", "mean_test"]


def mean_sample_size(discrepancy: float, rates: Rates, low: float, high: float) -> int:
    """Smallest n for which `mean_test` with Hoeffding's inequality detects a mean that is wrong by the discrepancy.

    Raises
    ------
    ValueError
        If the discrepancy is not positive.

    Examples
    --------
    >>> from contraction import laws
    >>> laws.mean_sample_size(0.1, laws.Rates(0.05, 0.05), 0, 1)
    667
    """
    _check_support(low, high)
    check_rates(rates)
    check_positive("a discrepancy", discrepancy)
    L = math.sqrt(math.log(2 / rates.false_alarm)) + math.sqrt(math.log(1 / rates.miss))
    return math.ceil((L * (high - low) / discrepancy) ** 2 / 2)


def mean_test(
    sample: ArrayLike,
    mean: float,
    rates: Rates,
    *,
    low: float,
    high: float,
    method: str = "hoeffding",
    discrepancy: float | None = None,
) -> CalibratedResult:
    """Test the mean of independent draws from a bounded support.

    Parameters
    ----------
    sample
        Shape (n,), all in [low, high].
    mean
        The claimed mean.
    rates
        The error rates of the test.
    low, high
        Ends of an interval that contains the support; they must not depend on the sample.
    method
        "hoeffding", or "bernstein" for the empirical Bernstein bound (Maurer and Pontil, 2009, Theorem 4), which is
        narrower if the variance is small; its detected discrepancy depends on the sample.
    discrepancy
        If given, the sample must be large enough to detect it at these rates.

    Raises
    ------
    ValueError
        If a draw is outside the support, the method is unknown, or the sample is too small for the discrepancy.

    References
    ----------
    Hoeffding, W. (1963). Probability inequalities for sums of bounded random variables. Journal of the American
    Statistical Association 58, 13-30.

    Maurer, A., and Pontil, M. (2009). Empirical Bernstein bounds and sample variance penalization. Conference on
    Learning Theory, Theorem 4.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import laws
    >>> draws = np.random.default_rng(0).random(1000)
    >>> rates = laws.Rates(1e-6, 1e-6)
    >>> [bool(laws.mean_test(draws, mean, rates, low=0, high=1)) for mean in (0.5, 0.7)]
    [True, False]
    """
    _check_support(low, high)
    check_rates(rates)
    check_finite("the claimed mean", mean)
    x = _sample(sample)
    n, width = len(x), high - low
    if x.min() < low or x.max() > high:
        raise ValueError(f"draws must lie in [{low}, {high}], got [{x.min()}, {x.max()}]")
    if method == "hoeffding":
        threshold = hoeffding(n, width, rates.false_alarm / 2)
        detected = threshold + hoeffding(n, width, rates.miss)
    elif method == "bernstein":
        if n < 2:
            raise ValueError("the empirical Bernstein bound needs at least 2 draws, got 1")
        threshold = empirical_bernstein(x, width, rates.false_alarm / 2)
        detected = threshold + empirical_bernstein(x, width, rates.miss)
    else:
        raise ValueError(f"method must be hoeffding or bernstein, got {method!r}")
    if discrepancy is not None and detected > discrepancy:
        raise ValueError(f"{n} draws detect {detected:.3g} at these rates, not {discrepancy!r}: draw more")
    statistic = abs(math.fsum(x - mean)) / n  # exactly 0 where all draws are the mean
    p = min(1.0, 2 * math.exp(-2 * n * (statistic / width) ** 2)) if width else float(statistic == 0)
    return CalibratedResult(statistic <= threshold, statistic, threshold, n, detected, rates.false_alarm, rates.miss, p)


def _check_support(low: float, high: float) -> None:
    if not check_finite("low", low) <= check_finite("high", high):
        raise ValueError(f"a bounded support needs low <= high, both finite, got [{low!r}, {high!r}]")
