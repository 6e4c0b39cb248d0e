"""Linear parts I - h H whose terms cancel are known up to roundings of 1, which bounds cover: truth by Fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction import families
from contraction.maps.rounding import EPS, cancelled

WAYS = {
    "default": {},
    "moment": {"moment": 2},
    "sup norm": {"space": ct.SupNorm()},
    "weighted": {"space": ct.WeightedEuclidean(np.eye(1))},
    "leaf": {"leaf": np.eye(1)},
    "words of one": {"q": 1, "moment": 2},
    "words of two": {"q": 2},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("h", [10.0, 10 * (1 - 1e-13), 9.0])
def test_bounds_of_one_map_with_a_small_linear_part(way, h):
    """T(θ) = A θ ± h with A = 1 - h/10, where 0.1 is the float: A is 0 in floats at h = 10, and -5.6e-17 in truth."""
    family = families.LinearizedSGD([0.0], [[0.1]], h, families.TwoPoint(-1.0, 1.0))
    A = abs(1 - Fraction(h) * Fraction(0.1))
    assert A > 0
    found = Fraction(float(ct.certify(family, [0.0], **WAYS[way]).bound(1)))
    if "moment" in WAYS[way]:
        assert found**2 >= A**2 * Fraction(h) ** 2 / (1 - A**2)  # E (A h (±1 ± A ± A² …))²
    else:
        assert found >= A * Fraction(h) / (1 - A)
    # no further above than some roundings of 1, divided by 1 - A, and D/(1-k) for the mean square
    assert found <= (A + 500 * Fraction(EPS)) * Fraction(h) / (1 - A) ** 2


@pytest.mark.parametrize("way", [way for way in WAYS if way != "words of two"])  # products of words have an allowance
def test_maps_that_are_constant_in_exact_numbers_keep_the_bound_0(way):
    family = families.LinearizedSGD([0.0], [[0.5]], 2.0, families.TwoPoint(-1.0, 1.0))
    found = ct.certify(family, [0.0], **WAYS[way]).bound(1)
    assert 0 <= found < 1e-100  # exact moments leave room for squares that underflow


@pytest.mark.parametrize("rest", [1e-3, 1e-8, 1e-9])
def test_mean_square_factor_of_one_batch(rest):
    """One batch of 21 orthogonal rows: A = (1 - h (0.49/21 + 0.3)) I is `rest`, and E A² = A²."""
    d, s, ridge = 21, 0.7, 0.3
    H = Fraction(s) ** 2 / d + Fraction(ridge)
    h = float((1 - Fraction(rest)) / H)
    A = 1 - Fraction(h) * H
    family = families.GradientSteps(families.RidgeLoss(s * np.eye(d), np.ones(d), ridge), h, d)
    rho = Fraction(family.mean_square_factor.value)
    assert A <= rho <= A * (1 + Fraction(1, 10**9)) + Fraction(1, 10**13)
    found = ct.backward_limit(family, np.full(d, 1e6), 1e-5, moment=2)
    limit = float(Fraction(h) * Fraction(s) / d / (1 - A))
    assert np.linalg.norm(found.value - limit) <= found.error


@pytest.mark.parametrize("rest", [1e-8, 1e-11])
@pytest.mark.parametrize("law", [None, families.IID(3)], ids=["rows at random", "a law of rows"])
def test_bound_in_mean_square_of_rows_that_are_equal(rest, law):
    x, ridge, y = 0.3, 0.05, [1, 2, -3]
    H = Fraction(x) ** 2 + Fraction(ridge)
    h = float((1 - Fraction(rest)) / H)
    A = 1 - Fraction(h) * H
    family = families.GradientSteps(families.RidgeLoss(np.full((3, 1), x), y, ridge), h, 1, law=law)
    assert Fraction(family.mean_square_factor.value) >= A
    square = sum((Fraction(h) * Fraction(x) * v) ** 2 for v in y) / 3  # the mean of y is 0
    certificate = ct.certify(family, [0.0], moment=2)
    for n in (0, 1, 2, 5):
        found = Fraction(float(certificate.bound(n)))
        truth = A ** (2 * n) * square / (1 - A**2)
        assert truth <= found**2 <= truth * (1 + Fraction(1, 100))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("given", [False, True], ids=["rows at random", "batches in a list"])
def test_mean_square_factor_by_enumeration(size, given):
    from itertools import combinations

    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((4, 3)), rng.standard_normal(4)
    batches = list(combinations(range(4), size))
    loss = families.RidgeLoss(X, y, 0.2)
    family = families.GradientSteps(loss, 0.3, batches=batches) if given else families.GradientSteps(loss, 0.3, size)
    A = [np.eye(3) - 0.3 * (X[list(b)].T @ X[list(b)] / size + 0.2 * np.eye(3)) for b in batches]
    expected = math.sqrt(np.linalg.eigvalsh(np.mean([a @ a for a in A], axis=0))[-1])
    assert expected <= family.mean_square_factor.value <= expected * (1 + 1e-11)


def test_co_coercivity_where_all_terms_cancel():
    """A row of 0 leaves weight decay alone: μ = M = 0.1, and ρ² = 1 - hμ(2 - hM) is (1 - hμ)² with h near 10."""
    h = 10 * (1 - 1e-13)
    family = families.GradientSteps(families.RidgeLogisticLoss([[0.0]], [1.0], 0.1), h, 1)
    assert Fraction(family.mean_square_factor.value) >= abs(1 - Fraction(h) * Fraction(0.1))


def test_the_allowance_is_0_for_given_numbers():
    assert cancelled(0, 3, 1.0) == 0
    assert cancelled(2, 1, 0.0) >= 2 * EPS
    given = families.FiniteFamily([(0.0, [1.0]), (0.5, [0.0])])
    assert ct.average_contraction(given, [0.0]).exponent == -math.inf
