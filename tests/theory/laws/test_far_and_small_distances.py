"""Distances of exact laws far beyond floats and below them, and large orders p, against values by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from contraction.laws import ExactLaw, exact_bracket, wasserstein, wasserstein_to_uniform

HALF = Fraction(1, 2)
COIN, MIDDLE = ExactLaw({0: HALF, 1: HALF}), ExactLaw({HALF: 1})
ORDERS = [1.5, 2, 3, 40, 64, 65, 1100, 1e5, 1e6]


@pytest.mark.parametrize("p", ORDERS, ids=str)
@pytest.mark.parametrize("size", [Fraction(1, 10**200), Fraction(10) ** 200, Fraction(6)], ids=["tiny", "huge", "6"])
def test_one_gap_is_the_distance_at_every_order(p, size):
    assert wasserstein(ExactLaw({0: 1}), ExactLaw({size: 1}), p) == pytest.approx(float(size), rel=1e-14, abs=0)
    assert wasserstein(COIN, MIDDLE, p) == pytest.approx(0.5, rel=1e-14)


@pytest.mark.parametrize("p", ORDERS, ids=str)
def test_a_rare_gap_is_the_root_of_its_mass(p):
    """Mass 10^-400 at 1 and the rest at 0: W_p to a point at 0 is 10^(-400/p)."""
    rare = ExactLaw({0: 1 - Fraction(1, 10**400), 1: Fraction(1, 10**400)})
    # the logarithm of the mass is 921, rounded a few times and divided by p
    expected = math.exp(-400 / p * math.log(10))
    assert wasserstein(ExactLaw({0: 1}), rare, p) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("p", ORDERS, ids=str)
@pytest.mark.parametrize("width", [Fraction(1, 10**200), Fraction(10) ** 200, Fraction(6)], ids=["tiny", "huge", "6"])
def test_a_coin_and_the_uniform_law(p, width):
    """Each end covers half of the interval, of length w/2, so W_p = w/2 (p+1)^(-1/p)."""
    coin = ExactLaw({0: HALF, width: HALF})
    expected = float(width / 2) * math.exp(-math.log(p + 1) / p)
    assert wasserstein_to_uniform(coin, 0, width, p) == pytest.approx(expected, rel=1e-13, abs=0)


def test_a_distance_beyond_floats_is_refused():
    far = ExactLaw({Fraction(10) ** 400: 1})
    with pytest.raises(ValueError, match="beyond the largest float"):
        wasserstein(ExactLaw({0: 1}), far, 2)
    assert wasserstein(ExactLaw({0: 1}), far, 1) == 10**400


@pytest.mark.parametrize("p", ORDERS, ids=str)
@pytest.mark.parametrize("size", [Fraction(1, 10**200), Fraction(10) ** 200, Fraction(3)], ids=["tiny", "huge", "3"])
def test_brackets_scale_with_the_offsets(p, size):
    """θ/2 and θ/2 + s/2 from 0: W_p of iterate n to the uniform law on [0, s] is s 2^-n (p+1)^(-1/p)."""
    bracket = exact_bracket([(HALF, Fraction(0)), (HALF, size / 2)], 4, p=p)
    exact = size / 16 * Fraction(math.exp(-math.log(p + 1) / p))
    assert bracket.lower > 0
    assert bracket.lower <= exact * (1 + Fraction(1, 10**14))
    assert exact * (1 - Fraction(1, 10**14)) <= bracket.upper <= size / 16 * (1 + Fraction(1, 10**14))
