"""Bounds k^n D / (1 - k) and bounds on remainders are no smaller than in rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction.expansions import majorant_coefficient, remainder_bound
from contraction.laws import coupling_bound
from contraction.maps.rounding import fraction_up, geometric_tail

BACKWARD = ct.order_convergence(ct.Backward(), horizon=60)


def test_random_floats():
    rng = np.random.default_rng(0)
    for k, D, n in zip(rng.uniform(0.01, 0.999, 300), rng.uniform(0.1, 9, 300), rng.integers(0, 60, 300), strict=True):
        exact = Fraction(k) ** int(n) * Fraction(D) / (1 - Fraction(k))
        for bound, truth in ((coupling_bound(k, D, int(n)), exact), (BACKWARD.bound(int(n), k, D), 2 * exact)):
            assert truth <= Fraction(bound) <= truth * (1 + Fraction(1, 2**50))


def test_powers_below_floats():
    """2^-1100 · 1e300 / (1/2) is 1.5e-31; (1e-9)^40 · 2 · 1e300 is 2e-60, and (1e-9)^60 · 2 is below every float."""
    assert coupling_bound(0.5, 1e300, 1100) == pytest.approx(float(2 * Fraction(10**300, 2**1100)), rel=1e-14, abs=0)
    assert BACKWARD.bound(40, 1e-9, 1e300) == pytest.approx(2e-60, rel=1e-8, abs=0)
    assert 0 < BACKWARD.bound(60, 1e-9, 1.0) <= 1e-323
    assert coupling_bound(0.999999, 1.0, 10**12) == 5e-324


def test_exact_numbers_stay_exact():
    assert coupling_bound(Fraction(1, 3), 2, 2) == Fraction(1, 3)
    assert BACKWARD.bound(2, Fraction(1, 3), Fraction(2)) == Fraction(2, 3)
    assert coupling_bound(0.5, 1.0, 0) == 2.0
    assert coupling_bound(0.0, 1.0, 3) == 0.0 == coupling_bound(0.5, 0.0, 3)
    assert coupling_bound(0.0, 3.0, 0) == 3.0


def test_the_least_float_above():
    for x in (
        Fraction(1, 3),
        Fraction(2, 3),
        Fraction(1, 10**320),
        Fraction(10**300, 7),
        Fraction(2) ** 1000,
        1 - Fraction(1, 2**70),
    ):
        up = fraction_up(x)
        assert Fraction(up) >= x > Fraction(math.nextafter(up, 0))
    assert fraction_up(Fraction(10) ** 400) == math.inf
    assert geometric_tail(1 - 2.0**-53, 5, 1.0) >= Fraction(2) ** 53 * (1 - Fraction(1, 2**53)) ** 5


def test_remainders_of_three_maps():
    """h³ [C(3, 3) L² G + 2 · 3 · 5 / 12 M_2 G²] with G = 1e200 and L = M_2 = 1, at h = 1e-150: 2.5e-50."""
    assert remainder_bound(3, 1e-150, 2, [1e200, 1.0, 1.0]) == pytest.approx(2.5e-50, rel=1e-14, abs=0)
    rng = np.random.default_rng(1)
    for h, *M in rng.uniform(0, 1, (100, 4)):
        G, L, M2 = (Fraction(x) for x in M)
        exact = Fraction(h) ** 3 * (10 * L**2 * G + Fraction(4 * 5 * 9, 12) * M2 * G**2)
        assert exact <= Fraction(remainder_bound(5, h, 2, M)) <= exact * (1 + Fraction(1, 2**50))


def test_infinite_bounds():
    """A factor that is 0 makes a product 0; without one it is infinite, and so is the bound."""
    assert majorant_coefficient(3, 2, [math.inf, 0.0]) == 0
    assert majorant_coefficient(3, 2, [math.inf, 1.0]) == math.inf
    assert majorant_coefficient(1, 2, [math.inf, 1.0]) == 0  # one map has no product of two
