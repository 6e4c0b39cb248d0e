"""Closed answers where factors nearly balance, weights leave the floats, and words are given as iterators."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction import families

HALF = Fraction(1, 2)


@pytest.mark.parametrize("digits", [2, 6, 9, 12, 15, 17, 30])
def test_the_index_and_the_mean_logarithm_of_factors_that_nearly_balance(digits: int) -> None:
    """With factors 2 and 1/2 of probabilities p and q, 2^a = q/p and E log K = (p - q) log 2."""
    step = Fraction(1, 10**digits)
    family = families.ExpandingOnAverage([2, HALF], weights=[HALF - step, HALF + step])
    excess = 2 * step / (HALF - step)  # q/p - 1
    assert family.kesten_index == pytest.approx(math.log1p(excess) / math.log(2), rel=1e-14, abs=0.0)
    assert family.log_mean == pytest.approx(-2 * float(step) * math.log(2), rel=1e-14, abs=0.0)


def test_floats_whose_product_is_above_one_do_not_contract_on_average() -> None:
    assert Fraction(0.1) * 10 > 1 > Fraction(1 / 3) * 3
    assert families.ExpandingOnAverage([0.1, 10.0]).log_mean > 0
    assert families.ExpandingOnAverage([1 / 3, 3.0]).log_mean < 0


def test_factors_of_extreme_sizes_have_an_index() -> None:
    family = families.ExpandingOnAverage([1e300, 1e-300, 0.0], weights=[Fraction(1, 4), HALF, Fraction(1, 4)])
    larger = (1 + 0.5**0.5) * 2  # x²/4 + 1/2 = x for x = 1e300^a
    assert family.kesten_index == pytest.approx(math.log(larger) / (300 * math.log(10)), rel=1e-13, abs=0.0)


@pytest.mark.parametrize("rate", [180.0, 400.0, -400.0])
def test_weights_that_leave_the_floats_are_refused(rate: float) -> None:
    grid = np.linspace(0.0, 4.0, 5)
    for refused in (lambda: ct.GridFunctions(grid, rate), lambda: families.PicardIteration(grid, rate)):
        with pytest.raises(ValueError, match=r"leave the range of floats on the grid from 0\.0 to 4\.0"):
            refused()
    assert ct.GridFunctions(grid, 150.0).weights[-1] > 0


def test_an_order_of_ones_own_may_give_iterators() -> None:
    maps = families.FiniteFamily([(HALF, 1), (HALF, 0)]).sample(4, seed=0)
    order = ct.CustomOrder(lambda n: iter(range(1, n + 1)))  # type: ignore[arg-type]
    expected = ct.backward_iterates(maps, [0], at=[2, 4])
    np.testing.assert_array_equal(ct.iterates(maps, [0], order, at=[2, 4]), expected)


@pytest.mark.parametrize("n", [-3, 2.5])
def test_iterates_of_a_bernoulli_convolution_have_indices(n: int) -> None:
    family = families.BernoulliConvolution(HALF)
    for refused in (family.mean, family.variance, lambda n: family.characteristic_function(1.0, n)):
        with pytest.raises(ValueError, match="the index of an iterate must be an integer"):
            refused(n)


def test_its_distribution_function_takes_real_numbers() -> None:
    for h in (HALF, Fraction(2, 3)):
        family = families.BernoulliConvolution(h)
        with pytest.raises(ValueError, match="no value at NaN"):
            family.stationary_cdf([0.5, np.nan])
        with pytest.raises(ValueError, match="x must be an array of numbers"):
            family.stationary_cdf(np.array([0.5 + 1j]))
