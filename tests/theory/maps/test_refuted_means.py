"""From which number of values on a stated mean is refuted, by exact products, and how often a true mean would be."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest

from contraction.maps.supermartingales import BETS, differs, exceeds


def wealth_above(z: F, n: int) -> F:
    """The largest product of 1 + c (z/m - 1) over the bets c, for n values z/m."""
    return max((1 + F(c) * (z - 1)) ** n for c in BETS)


def wealth_around(x: F, variance: F, n: int) -> float:
    """The largest product of (1 + y + y²/2) / (1 + c² v/2) over bets ± c / √v, for n values x from the mean."""
    best = -math.inf
    for c, sign in itertools.product(BETS, (1, -1)):
        bet = sign * F(c / math.sqrt(variance))
        y = bet * x
        best = max(best, n * (math.log(1 + y + y * y / 2) - math.log1p(bet * bet * variance / 2)))
    return best


@pytest.mark.parametrize("ratio", [F(11, 10), F(3, 2), F(2), F(10), F(1000)], ids=str)
@pytest.mark.parametrize("mean", [0.5, 1.0, 8.0])
def test_the_first_number_of_equal_values_that_refutes_a_bound_on_their_mean(ratio: F, mean: float) -> None:
    alpha = 1e-3
    value = float(ratio) * mean
    first = next(n for n in itertools.count(1) if wealth_above(F(value) / F(mean), n) > len(BETS) / F(alpha))
    assert exceeds(np.full(first, value), mean, alpha)
    assert not exceeds(np.full(first - 1, value), mean, alpha)
    assert not exceeds(np.full(10 * first, mean), mean, alpha)


def test_values_below_and_above_are_weighed_together() -> None:
    """Each value 0 multiplies by 1 - c and each value 2 m by 1 + c."""
    alpha, up = 1e-2, 30
    for down in range(20):
        values = np.repeat([0.0, 2.0], [down, up])
        wealth = max((1 - F(c)) ** down * (1 + F(c)) ** up for c in BETS)
        assert exceeds(values, 1.0, alpha) is (wealth > len(BETS) / F(alpha))


def test_a_true_mean_is_refuted_with_no_more_than_the_stated_chance() -> None:
    """All 2^14 sequences of values 0 and 2, by their number of twos; and those of +1 and -1 for the variance."""
    n, alpha = 14, 0.05
    above = around = 0
    for twos in range(n + 1):
        values = np.repeat([0.0, 2.0], [n - twos, twos])
        above += math.comb(n, twos) * exceeds(values, 1.0, alpha)
        around += math.comb(n, twos) * differs(values, 1.0, 1.0, alpha)
    assert 0 < above <= alpha * 2**n
    assert 0 < around <= alpha * 2**n


@pytest.mark.parametrize("values", [[0.0], [0.0, 1e-300], [3.0]], ids=str)
def test_a_mean_of_zero_allows_zeros_alone(values: list[float]) -> None:
    assert exceeds(np.array(values), 0.0, 1e-9) is any(v > 0 for v in values)


def test_infinite_and_unknown_means_and_variances_are_never_refuted() -> None:
    values = np.full(1000, 1e300)
    for mean in (math.inf, math.nan):
        assert not exceeds(values, mean, 0.1)
    for variance in (math.inf, math.nan):
        assert not differs(values, 0.0, variance, 0.1)
    assert exceeds(values, 1.0, 1e-9)
    assert differs(values, 0.0, 1.0, 1e-9)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("away", "variance"), [(1.0, 1.0), (0.25, 1.0), (3.0, 4.0), (1.0, 0.0625)])
def test_the_first_number_of_equal_values_that_refutes_a_mean(sign: int, away: float, variance: float) -> None:
    alpha, mean = 1e-3, 2.0
    bound = math.log(2 * len(BETS) / alpha)
    first = next(n for n in itertools.count(1) if wealth_around(F(sign * away), F(variance), n) > bound)
    assert differs(np.full(first, mean + sign * away), mean, variance, alpha)
    assert not differs(np.full(first - 1, mean + sign * away), mean, variance, alpha)
    assert not differs(np.full(10 * first, mean), mean, variance, alpha)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0], [2.0, 2.5], [1.5]], ids=str)
def test_a_variance_of_zero_allows_the_mean_alone(values: list[float]) -> None:
    assert differs(np.array(values), 2.0, 0.0, 1e-9) is any(v != 2.0 for v in values)
