"""Calibrated tests of laws: each states the discrepancy it detects and both of its error rates.

The discrepancy is the sup distance of distribution functions. By the Dvoretzky-Kiefer-Wolfowitz inequality with
Massart's constant (Annals of Probability 18, 1990), P(sup |F_n - F| > t) <= 2 exp(-2 n t^2) for every law, with or
without atoms. Hoeffding's inequality at the point where two laws differ most bounds the probability of a miss. The
error rates of a whole suite are divided among its tests, so they hold for the suite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite, check_function, check_integer, check_positive, check_probability
from contraction.laws.exact import ExactLaw
from contraction.maps.arrays import numbers
from contraction.maps.rounding import EPS
from contraction.values import Value

__all__ = [
    "CalibratedResult",
    "Rates",
    "SuiteRates",
    "one_sample_test",
    "pvalue_guard",
    "sample_size",
    "two_sample_size",
    "two_sample_test",
]

CDF_ROUNDING = EPS**0.5  # what a distribution function may leave [0, 1] or decrease by: half of the digits


@dataclass(frozen=True, eq=False)
class Rates(Value):
    """Error rates of a test: of a false alarm if the law is right, of a miss if it is wrong by the discrepancy.

    Examples
    --------
    >>> from contraction import laws
    >>> laws.sample_size(0.2, laws.Rates(false_alarm=0.05, miss=0.05))
    183
    """

    false_alarm: float
    miss: float

    def __post_init__(self) -> None:
        for name in ("false_alarm", "miss"):
            check_probability(f"the rate {name}", getattr(self, name))


@dataclass(frozen=True, eq=False)
class SuiteRates(Value):
    """Error rates of a whole suite, divided equally among its tests (the union bound needs no independence).

    Parameters
    ----------
    false_alarm, miss
        Probability that any test of the suite raises a false alarm, and that any test misses its discrepancy.
    tests
        Number of tests in the suite.

    Examples
    --------
    >>> from contraction import laws
    >>> laws.SuiteRates(1e-6, 1e-6, tests=10).each.false_alarm
    1e-07
    """

    false_alarm: float = 1e-6
    miss: float = 1e-6
    tests: int = 1

    def __post_init__(self) -> None:
        check_integer("the number of tests in a suite", self.tests, 1)
        Rates(self.false_alarm, self.miss)

    @property
    def each(self) -> Rates:
        """The rates that each test may use.

        Returns
        -------
        Rates
            Both rates divided by the number of tests.

        Examples
        --------
        >>> from contraction.laws import SuiteRates
        >>> SuiteRates(0.01, 0.02, tests=10).each
        Rates(false_alarm=0.001, miss=0.002)
        """
        return Rates(self.false_alarm / self.tests, self.miss / self.tests)


@dataclass(frozen=True, eq=False)
class CalibratedResult(Value):
    """The result of a calibrated test; its truth value is True if the test passes.

    Attributes
    ----------
    passes : bool
        Whether the test passes.
    statistic, threshold : float
        The test fails if the statistic is above the threshold.
    too_close_below : float
        The test also fails if the statistic is below this number, which happens for a correct law with probability at
        most half of the false alarm rate (0: no such guard).
    n : int or tuple of int
        Sample size(s).
    discrepancy : float
        The discrepancy that the test detects at these rates and this size.
    false_alarm, miss : float
        Error rates of the test.
    pvalue : float
        Upper bound on the probability of a statistic at least as large.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.laws import Rates, one_sample_test
    >>> draws = np.random.default_rng(0).uniform(size=20_000)
    >>> result = one_sample_test(draws, lambda x: np.clip(x, 0, 1), Rates(1e-6, 1e-6))
    >>> bool(result), round(result.threshold, 3), round(result.discrepancy, 3)
    (True, 0.019, 0.038)
    >>> wrong = one_sample_test(draws**1.2, lambda x: np.clip(x, 0, 1), Rates(1e-6, 1e-6))
    >>> bool(wrong), wrong.pvalue < 1e-6
    (False, True)
    """

    passes: bool
    statistic: float
    threshold: float
    n: int | tuple[int, int]
    discrepancy: float
    false_alarm: float
    miss: float
    pvalue: float
    too_close_below: float = 0.0

    def __bool__(self) -> bool:
        return self.passes


# --- sizes ------------------------------------------------------------------------------------------------------------


def sample_size(discrepancy: float, rates: Rates) -> int:
    """Smallest n for which `one_sample_test` detects the discrepancy with these rates (the guard included).

    The inequality is that of Dvoretzky, Kiefer and Wolfowitz with Massart's constant (1990).

    Examples
    --------
    >>> from contraction import laws
    >>> laws.sample_size(0.2, laws.Rates(0.05, 0.05))
    183
    """
    _check_discrepancy(discrepancy)
    check_rates(rates)
    return math.ceil((_upper(rates) + _lower(rates)) ** 2 / (2 * discrepancy**2))


def two_sample_size(discrepancy: float, rates: Rates) -> int:
    """Smallest common size of both samples for which `two_sample_test` detects the discrepancy.

    The inequality is that of Dvoretzky, Kiefer and Wolfowitz with Massart's constant (1990), for each sample.

    Examples
    --------
    >>> from contraction import laws
    >>> laws.two_sample_size(0.2, laws.Rates(0.05, 0.05))
    806
    """
    _check_discrepancy(discrepancy)
    check_rates(rates)
    L = math.sqrt(math.log(4 / rates.false_alarm)) + math.sqrt(math.log(2 / rates.miss))
    return math.ceil(2 * (L / discrepancy) ** 2)


def check_rates(rates: Rates) -> None:
    """Raise TypeError unless these are the error rates of one test."""
    if not isinstance(rates, Rates):
        raise TypeError(f"the error rates of a test must be Rates(false_alarm, miss), got {rates!r}")


def _upper(rates: Rates) -> float:
    return math.sqrt(
        math.log(4 / rates.false_alarm)
    )  # half of the rate; the other half is for samples that are too close to the law


def _lower(rates: Rates) -> float:
    return math.sqrt(math.log(1 / rates.miss))


def _check_discrepancy(discrepancy: float) -> None:
    if not 0 < check_finite("the discrepancy", discrepancy) <= 1:
        raise ValueError(f"a discrepancy of distribution functions must lie in (0, 1], got {discrepancy!r}")


# --- laws -------------------------------------------------------------------------------------------------------------


def one_sample_test(
    sample: ArrayLike,
    law: Callable[[NDArray], ArrayLike] | ExactLaw,
    rates: Rates,
    *,
    left: Callable[[NDArray], ArrayLike] | None = None,
    discrepancy: float | None = None,
    slack: float = 0.0,
) -> CalibratedResult:
    """Test that independent real draws have a given law.

    Parameters
    ----------
    sample
        Shape (n,).
    law
        The distribution function x -> P(X <= x) of the law, vectorised, or an `ExactLaw` of real points.
    rates
        Error rates of this test (``SuiteRates(…, tests=…).each``).
    left
        x -> P(X < x), if the law has atoms; not needed for an `ExactLaw`. Without atoms the test also fails if the
        sample is closer to the law than independent draws would be (with half of the false alarm rate, by the exact law
        of the statistic).
    discrepancy
        If given, the sample must be large enough to detect it.
    slack
        A bound on the rounding of draws: draws that are at most this far from an atom count as the atom. Without atoms
        the sample is too close to the law only if all draws that are at most this far from it are.

    Raises
    ------
    ValueError
        If the sample is empty, has NaN, or is too small for the discrepancy; or if the values of the law at the draws
        are not in [0, 1], or decrease.
    TypeError
        If the law is neither a function nor an `ExactLaw`.

    References
    ----------
    Massart, P. (1990). The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality. Annals of Probability 18,
    1269-1283.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import laws
    >>> draws = np.random.default_rng(0).random(500)
    >>> rates = laws.Rates(1e-6, 1e-6)
    >>> right = laws.one_sample_test(draws, lambda x: np.clip(x, 0, 1), rates)
    >>> wrong = laws.one_sample_test(draws**3, lambda x: np.clip(x, 0, 1), rates)
    >>> bool(right), bool(wrong)
    (True, False)
    """
    check_rates(rates)
    x = _sample(sample)
    n = len(x)
    right, before = _distribution(law, left, slack)
    values, counts = np.unique(x, return_counts=True)
    below = np.cumsum(counts) / n
    statistic = max(
        float(np.max(below - right(values))), float(np.max(before(values) - np.concatenate([[0.0], below[:-1]])))
    )
    detected = (_upper(rates) + _lower(rates)) / math.sqrt(2 * n)
    _check_size(n, discrepancy, detected, sample_size, rates)
    threshold = _upper(rates) / math.sqrt(2 * n)
    floor, farthest = 0.0, statistic
    if left is None and callable(law):
        floor = _closest(n, rates.false_alarm / 2)
        if slack:  # it makes the statistic smaller, and may not make it too small
            above, under = (_probabilities("the law", law, values + s) for s in (-slack, slack))
            farthest = float(max(np.max(below - above), np.max(under - np.concatenate([[0.0], below[:-1]]))))
    p = min(1.0, 2 * math.exp(-2 * n * max(statistic, 0.0) ** 2))
    passes = statistic <= threshold and floor <= farthest
    return CalibratedResult(
        passes, statistic, threshold, n, detected, rates.false_alarm, rates.miss, p, too_close_below=floor
    )


def two_sample_test(
    first: ArrayLike, second: ArrayLike, rates: Rates, *, discrepancy: float | None = None, slack: float = 0.0
) -> CalibratedResult:
    """Test that two samples of independent real draws have the same law; the samples may depend on each other.

    Pairs of forward and backward iterates of the same maps are allowed: both rates use a union bound over the samples.

    Parameters
    ----------
    first, second
        Shapes (n,) and (m,).
    rates, discrepancy
        As in `one_sample_test`.
    slack
        Draws that are at most this far apart count as equal, because two computations of an atom differ by rounding.

    References
    ----------
    Massart, P. (1990). The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality. Annals of Probability 18,
    1269-1283.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import laws
    >>> draws = np.random.default_rng(0).random(1000)
    >>> rates = laws.Rates(1e-6, 1e-6)
    >>> bool(laws.two_sample_test(draws, 1 - draws, rates)), bool(laws.two_sample_test(draws, draws**3, rates))
    (True, False)
    """
    check_rates(rates)
    check_positive("slack", slack, zero=True)
    x, y = np.sort(_sample(first)), np.sort(_sample(second))
    n, m = len(x), len(y)
    F_ahead = np.max(np.arange(1, n + 1) / n - np.searchsorted(y, x + slack, side="right") / m)
    G_ahead = np.max(np.arange(1, m + 1) / m - np.searchsorted(x, y + slack, side="right") / n)
    statistic = float(max(F_ahead, G_ahead, 0.0))
    widths = 1 / math.sqrt(2 * n) + 1 / math.sqrt(2 * m)
    threshold = math.sqrt(math.log(4 / rates.false_alarm)) * widths
    detected = threshold + math.sqrt(math.log(2 / rates.miss)) * widths
    _check_size(min(n, m), discrepancy, detected, two_sample_size, rates)
    p = min(1.0, 4 * math.exp(-((statistic / widths) ** 2)))
    return CalibratedResult(
        statistic <= threshold, statistic, threshold, (n, m), detected, rates.false_alarm, rates.miss, p
    )


def pvalue_guard(pvalues: ArrayLike, false_alarm: float) -> bool:
    """Whether independent p-values are consistent with a uniform law: neither too small nor too close to 1.

    Fisher's combination on both sides: -2 sum ln p and -2 sum ln(1 - p) are chi-squared with 2n degrees of freedom, and
    each may exceed its quantile with half of the rate. A test whose p-values are always close to 1 has no power.
    P-values of discrete statistics are larger than uniform ones; randomise ties first to make them uniform.

    Raises
    ------
    ValueError
        If there are no p-values, one is outside [0, 1], or the rate is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.laws import pvalue_guard
    >>> pvalues = np.random.default_rng(0).uniform(size=100)
    >>> pvalue_guard(pvalues, 1e-6)
    True
    >>> pvalue_guard(pvalues**3, 1e-6), pvalue_guard(1 - pvalues**3, 1e-6)  # too small, and too close to 1
    (False, False)
    """
    from scipy.special import gammaincc

    p = numbers("p-values", pvalues).ravel()
    if not len(p) or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"p-values must be one or more numbers in [0, 1], got {pvalues!r}")
    check_probability("false_alarm", false_alarm)
    with np.errstate(divide="ignore"):
        small, large = -np.sum(np.log(p)), -np.sum(np.log1p(-p))
    return bool(min(gammaincc(len(p), small), gammaincc(len(p), large)) > false_alarm / 2)


# --- pieces -----------------------------------------------------------------------------------------------------------


def _sample(sample: ArrayLike) -> NDArray:
    x = numbers("a sample", sample)
    if x.ndim != 1 or not len(x):
        raise ValueError(f"a sample must be a non-empty sequence of numbers, got shape {x.shape}")
    if np.isnan(x).any():
        raise ValueError(f"a sample must not contain NaN, got {np.count_nonzero(np.isnan(x))} NaN values")
    return x


def _distribution(
    law: Callable[[NDArray], ArrayLike] | ExactLaw, left: Callable[[NDArray], ArrayLike] | None, slack: float
) -> tuple[Callable[[NDArray], NDArray], Callable[[NDArray], NDArray]]:
    """Return x -> P(X <= x) and x -> P(X < x), both shifted by the slack towards fewer rejections (conservatively)."""
    check_positive("slack", slack, zero=True)
    if callable(law):
        before, name = (law, "the law") if left is None else (check_function("left", left, "of numbers"), "left")
        return lambda x: _probabilities("the law", law, x + slack), lambda x: _probabilities(name, before, x - slack)
    if not isinstance(law, ExactLaw):
        raise TypeError(f"the law must be a distribution function or an ExactLaw, got {law!r}")
    atoms, masses = law.floats()
    if atoms.ndim != 1:
        raise ValueError(f"a law of real points is needed, got points with {atoms.shape[1]} coordinates")
    total = np.concatenate([[0.0], np.cumsum(masses)])
    return (
        lambda x: total[np.searchsorted(atoms, x + slack, side="right")],
        lambda x: total[np.searchsorted(atoms, x - slack, side="left")],
    )


def _probabilities(name: str, function: Callable[[NDArray], ArrayLike], x: NDArray) -> NDArray:
    """Return the values of a distribution function at sorted points, after checking that they can be such values.

    Raises
    ------
    ValueError
        If they are not one number in [0, 1] per point, or decrease by more than rounding.
    """
    values = numbers(f"what {name} returns", function(x))
    if values.shape != x.shape:
        raise ValueError(f"{name} must return one probability per number, got shape {values.shape} for {x.shape}")
    rule = f"{name} must be a distribution function, with values in [0, 1] that do not decrease"
    outside = ~((values >= -CDF_ROUNDING) & (values <= 1 + CDF_ROUNDING))
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(f"{rule}: got {float(values[at])!r} at x = {float(x[at])!r}")
    falls = np.diff(values) < -CDF_ROUNDING
    if falls.any():
        at = int(np.argmax(falls))
        raise ValueError(
            f"{rule}: got {float(values[at])!r} at x = {float(x[at])!r} and {float(values[at + 1])!r} at "
            f"{float(x[at + 1])!r}"
        )
    return values


@lru_cache(maxsize=256)
def _closest(n: int, rate: float) -> float:
    """Return a number that exceeds sup |F_n - F| with probability at most ``rate``, for a law without atoms."""
    from scipy.stats import kstwo

    return float(kstwo.ppf(rate, n))


def _check_size(n: int, discrepancy: float | None, detected: float, size: Callable[..., int], rates: Rates) -> None:
    if discrepancy is not None and detected > discrepancy:
        needed = size(discrepancy, rates)
        if n < needed:
            raise ValueError(f"detecting {discrepancy!r} at these rates needs {needed} draws, got {n}")
