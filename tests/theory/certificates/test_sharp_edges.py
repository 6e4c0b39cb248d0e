"""Certificates at their edges: numbers that are met exactly, room for rounding that is neither missing nor huge."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction.certificates import bounds
from contraction.certificates.average import average_contraction, confidence_upper
from contraction.certificates.certify import certify
from contraction.certificates.falsify import search_violation
from contraction.certificates.norms import expanding_word
from contraction.certificates.words import p_mean_factor
from contraction.families import FiniteFamily, QuadraticSGD, Uniform
from contraction.maps.probe_checks import points_around
from contraction.maps.spaces import Euclidean, WeightedEuclidean

HALF = Fraction(1, 2)


def test_drawn_certificates_are_the_sum_that_they_bound_and_no_more():
    """Maps x/2 + b_i on R^3 with dyadic b_i: the sum over i > n of 2^(1-i) |theta_0 - T_i theta_0|, to 1e-12 of it."""
    b = [np.array(v, dtype=float) for v in ([3, 4, 0], [0, 0, 2], [6, 8, 0], [0, 5, 12])]
    family = ct.RandomOperator(lambda rng: b[0], lambda x, e: x / 2 + e, affine=lambda e: (0.5, e))
    for theta0, moved in ((np.zeros(3), [5.0, 2.0, 10.0, 13.0]), (np.array([0.0, 0.0, 4.0]), None)):
        if moved is None:
            moved = [math.hypot(*(theta0 / 2 - e)) for e in b]
        found = certify(ct.Operators(family, b), theta0).bound(np.arange(5))
        exact = [sum(0.5 ** (i - 1) * moved[i - 1] for i in range(n + 1, 5)) for n in range(5)]
        assert np.all(found >= exact)
        assert np.all(found <= np.array(exact) * (1 + 1e-12))


def test_a_drawn_factor_has_room_for_a_computed_norm():
    """Spectral norms of two maps and a distance in d dimensions are off by d units in the last place each, and more."""
    d, e = 64, np.eye(64)[0]
    for family in (
        ct.RandomOperator(lambda rng: e, lambda x, v: x / 2 + v, affine=lambda v: (np.eye(d) / 2, v)),
        ct.RandomOperator(lambda rng: e, lambda x, v: np.sin(x) / 2 + v, lipschitz=lambda v: 0.5),
    ):
        found = certify(ct.Operators(family, [0 * e, e]), np.zeros(d)).bound(0)
        assert 0.5 * (1 + 3 * d * 2.0**-52) <= found <= 0.5 * (1 + 1e-10)


@pytest.mark.parametrize("drawn", [False, True])
def test_steps_at_equality(drawn):
    """The least n with a bound of at most eps is n where eps is the bound at n."""
    family = QuadraticSGD(0.3, Uniform(-1, 1))
    certificate = certify(family.sample(40, 1) if drawn else family, 0.5)
    for n in (0, 1, 2, 7, 20, 33):
        assert certificate.steps(certificate.bound(n)) == n
    below = np.nextafter(certificate.bound(7), 0)
    assert certificate.steps(below) == 8


def test_a_violation_is_searched_as_far_out_as_the_start_is():
    """x + max(x - 5e9, 0) from 1e9: the slope of 2 begins four times as far off as the start is from 0."""
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, e: x + np.maximum(x - 5e9, 0), contraction=1.0)
    with pytest.raises(ct.DeclarationRefuted, match="declared contraction factor"):
        search_violation(family, 1e9)
    assert search_violation(family, 0.0).largest_ratio <= 1 + 1e-12


def test_points_around_a_start_are_near_and_far_by_its_size():
    for size in (1.0, 1e9):
        near, far = points_around(Euclidean(), np.full(50, size), None)
        assert size / 10 < np.abs(near - size).mean() < 2 * (1 + size)
        assert np.abs(far - size).mean() > 5 * size


def test_the_longest_word_is_looked_at():
    """Two nilpotents, of which the product alone expands: found at two letters, and not at one."""
    pair = [np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [2.0, 0.0]])]
    assert expanding_word(pair, longest=1) is None
    assert expanding_word(pair, longest=2) == ((1, 2), pytest.approx(4.0))


class OneUnknownWeight(FiniteFamily):
    """Two maps; the probability of the second is not known."""

    def finite_support(self):
        known = super().finite_support()
        assert known is not None
        return [known[0], (None, known[1][1])]

    def linear_support(self):
        known = super().linear_support()
        assert known is not None
        return [known[0], (None, known[1][1])]


def test_p_means_need_every_weight():
    maps = [(np.array([[0.5]]), [1.0]), (np.array([[0.25]]), [0.0])]
    assert certify(FiniteFamily(maps), np.zeros(1), q=2, moment=1).certified
    with pytest.raises(ct.NotCertified, match="independent maps with one law"):
        certify(OneUnknownWeight(maps), np.zeros(1), q=2, moment=1)
    assert certify(OneUnknownWeight(maps), np.zeros(1), q=2).certified
    assert p_mean_factor(FiniteFamily(maps), 1.0, q=2) is not None
    assert p_mean_factor(OneUnknownWeight(maps), 1.0, q=2) is None


def test_the_confidence_bound_is_the_smaller_of_the_two():
    """Half the values at each end: Hoeffding's width, at 20 draws; nearly constant ones: Maurer and Pontil's."""
    n, delta = 20, 0.1
    spread = np.array([0.0, -2.0] * (n // 2))
    hoeffding = 2 * math.sqrt(math.log(2 / delta) / (2 * n))
    assert confidence_upper(spread, 0.0, 1 - delta, -2.0) == pytest.approx(-1 + hoeffding, rel=1e-12)
    n = 2000
    still = np.array([-1.0] * (n - 2) + [-0.9, -1.1])
    log = math.log(4 / delta)
    width = math.sqrt(2 * np.var(still, ddof=1) * log / n) + 7 * 2 * log / (3 * (n - 1))
    assert confidence_upper(still, 0.0, 1 - delta, -2.0) == pytest.approx(-1 + width, rel=1e-12)
    assert width < 2 * math.sqrt(math.log(2 / delta) / (2 * n))


def test_constant_maps_contract_on_average_without_bound():
    """Factors that are all 0, said to be at most 0: E log K is minus infinity, and the bound says at most exp(-700)."""
    family = ct.RandomOperator(lambda rng: rng.uniform(0, 1), lambda x, e: 0 * x + e, lipschitz=lambda e: 0.0)
    found = average_contraction(family, 0.0, words=50, largest=0.0)
    assert found.contracts
    assert -1400 <= found.upper <= -700


@pytest.mark.parametrize("n", [1000, 1500, 1980, 2010])
def test_a_power_below_every_float_times_a_large_constant(n):
    """2^990/(1 - 1/2) 2^-n, where 2^-n alone is below every float: to 1e-14 of the exact number."""
    assert float(bounds.geometric(0.5, 2.0**990, n)) == pytest.approx(2.0 ** (991 - n), rel=1e-14, abs=0)
    assert bounds.geometric(0.5, 2.0**990, 5000) == bounds.TINY > 0


def test_products_that_overflow_are_refused_though_the_last_bound_is_finite():
    """Factors of 1e200: the bound at n = N is 0, and those before are infinite."""
    maps = [1e200, 1e200, 1e200]
    family = ct.RandomOperator(lambda rng: 1.0, lambda x, s: s * x + 1, affine=lambda s: (s, 1.0))
    with pytest.raises(ct.NotCertified, match="overflow: the bound is infinite"):
        certify(ct.Operators(family, maps), 0.0)
    assert np.isfinite(certify(ct.Operators(family, maps[:2]), 0.0).bound([0, 1, 2])).all()


def test_a_displacement_in_a_norm_ten_times_as_large():
    """The norm of 100 times the identity is ten Euclidean norms: ten times the D, and the same factor."""
    family, start, ten = QuadraticSGD(0.3, Uniform(-1, 1), 2), np.array([1.0, -2.0]), WeightedEuclidean(100 * np.eye(2))
    for moment in (None, 2.0):
        one, other = (certify(family, start, space=space, moment=moment) for space in (None, ten))
        assert pytest.approx(10 * one.D, rel=1e-12) == other.D
        assert other.k == pytest.approx(one.k, rel=1e-12)


def test_drawn_factors_may_be_zero_and_not_negative():
    """A map that forgets its start ends the sum: nothing is left behind it."""
    maps = [0.5, 0.0, 0.5]
    family = ct.RandomOperator(lambda rng: 0.5, lambda x, s: s * np.sin(x) + 1, lipschitz=abs)
    found = certify(ct.Operators(family, maps), 0.0).bound([0, 1, 2, 3])
    assert found[0] == pytest.approx(1.5)
    assert found.tolist()[2:] == [0.0, 0.0]
    negative = ct.RandomOperator(lambda rng: 0.5, lambda x, s: s * np.sin(x) + 1, lipschitz=lambda s: -1.0)
    with pytest.raises((ValueError, ct.DeclarationRefuted)):
        certify(ct.Operators(negative, maps), 0.0)


def test_a_drawn_certificate_in_a_norm_has_room_for_its_condition():
    """Rounding of a product of matrices is up to the norm's condition, here 1e4, times as large in the norm."""
    space = WeightedEuclidean(np.diag([1e8, 1.0]))
    moves = [np.zeros(2), np.array([0.0, 1.0])]
    family = ct.RandomOperator(
        lambda rng: moves[0], lambda x, v: x / 2 + v, affine=lambda v: (np.eye(2) / 2, v), space=space
    )
    found = certify(ct.Operators(family, moves), np.zeros(2)).bound(0)
    assert 0.5 * (1 + 1e4 * 2.0**-52) <= found <= 0.5 * (1 + 1e-9)
