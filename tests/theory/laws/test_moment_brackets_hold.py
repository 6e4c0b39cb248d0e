"""The sides of `moment_bracket` against W_2 of Gaussian laws in 50 digits, where their formulas cancel or underflow."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from contraction import families, laws


def distance(h: float, start: float, n: int) -> Any:
    """W_2 of the laws of iterate n and of the limit of θ -> (1 - h) θ + h ε, ε standard normal."""
    k, rate = 1 - mpmath.mpf(h), mpmath.mpf(h)
    variance = rate / (2 - rate)
    spread = mpmath.sqrt(variance) - mpmath.sqrt(variance * (1 - k ** (2 * n)))
    return mpmath.sqrt((k**n * start) ** 2 + spread**2)


@pytest.mark.parametrize("h", [0.5, 0.1, 1.5, 0.999, 0.001])
@pytest.mark.parametrize("start", [0.0, 1.0, 1e8])
def test_the_distance_of_gaussian_laws_is_in_the_bracket(h: float, start: float) -> None:
    with mpmath.workdps(700):
        for n in (0, 1, 5, 10, 25, 60, 200):
            bracket, exact = laws.moment_bracket(families.QuadraticSGD(h=h), n, start), distance(h, start, n)
            assert bracket.lower <= exact <= bracket.upper * (1 + 2.0**-40), (n, bracket)


def test_the_lower_side_is_sharp_where_floats_determine_it() -> None:
    with mpmath.workdps(50):
        for n, digits in ((2, 1e-11), (10, 1e-5)):
            exact = distance(0.5, 0.0, n)
            assert laws.moment_bracket(families.QuadraticSGD(h=0.5), n).lower >= exact * (1 - digits)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_distances_of_near_covariances(d: int) -> None:
    """Two commuting covariances: the distance is that of their roots."""
    rng = np.random.default_rng(d)
    axes = np.linalg.qr(rng.standard_normal((d, d)))[0]
    roots = 1 + rng.random(d)
    for step in (1e-3, 1e-6, 1e-9):
        first, second = ((axes * (roots + s * step) ** 2) @ axes.T for s in (0, 1))
        found = laws.gelbrich_distance(np.zeros(d), first, np.zeros(d), second)
        assert found == pytest.approx(step * d**0.5, abs=100 * d * 2.0**-52)


def test_a_mean_square_that_underflows_is_not_zero() -> None:
    family = families.RandomAffine([1e-3, 2e-3], [0.0, 1.0])
    assert laws.moment_bracket(family, 200).upper > 0
    assert laws.moment_bracket(families.RandomAffine([0.0, 0.0], [0.0, 1.0]), 1).upper == 0
