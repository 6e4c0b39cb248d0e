"""Moments of Student's law are upper bounds for every number of degrees of freedom, also for very many.

For even p = 2 k, E |X|^p = df^k Π_(i ≤ k) (2 i - 1) / (df - 2 i). ln Γ(df/2) and ln Γ((df - p)/2) differ
by less than their errors if df is large: with df = 1e14 the bound on (E X⁴)^(1/4) was 5 percent too small.
"""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from contraction.families import Student
from contraction.maps.rounding import log_gamma_up


def even_moment(df: float, p: int) -> Fraction:
    value = Fraction(1)
    for i in range(1, p // 2 + 1):
        value *= Fraction(df) * (2 * i - 1) / (Fraction(df) - 2 * i)
    return value


@pytest.mark.parametrize("p", [2, 4, 8, 20])
@pytest.mark.parametrize("df", [20.5, 100.0, 999.0, 1030.0, 1e4, 1e6, 1e9, 1e12, 1e14, 1e18])
def test_even_moments_are_bounded_from_above_and_closely(df: float, p: int) -> None:
    """The logarithms of Γ are below 500 · ln 500, so that 8 · 2^-52 times three of them is below 2e-11."""
    found, exact = Fraction(Student(df).moment(p)), even_moment(df, p)
    assert exact <= found <= exact * (1 + Fraction(1, 10**10))


@pytest.mark.parametrize("df", [1e4, 1e9, 1e14])
def test_the_mean_distance_is_above_that_of_a_normal_law(df: float) -> None:
    """E |X| = E |Z| E √(df / χ²), and by Jensen's inequality E √(df / χ²) >= 1, where χ² has mean df."""
    assert 1 <= Student(df).moment(1.0) / math.sqrt(2 / math.pi) < 1 + 1 / df + 1e-10


@pytest.mark.control
def test_an_infinite_moment_is_infinite() -> None:
    assert Student(4.0).moment(4) == math.inf
    assert Student(4.0).moment(3.9) < math.inf


def test_the_logarithm_of_gamma_ends_at_infinity_and_in_no_error() -> None:
    """From 2.55e305 on the sum of its terms is above the largest float, though each is below it."""
    assert log_gamma_up(2.555e305) == math.inf
    assert log_gamma_up(1e304) < math.inf
